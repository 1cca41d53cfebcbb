"""The fast ways to JSON say what REST framework says, byte for byte."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.functional import lazy
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer as StockSerializer

from apps.accounts.api.keys import ApiKeySerializer
from apps.accounts.api.people import InvitationSerializer, MemberSerializer
from apps.accounts.api.roles import RoleSerializer
from apps.core.rendering import FastJSONRenderer, plain_columns
from apps.core.row_serializers import ModelSerializer
from apps.projects.api import CustomFieldSerializer, DocumentSerializer, ProjectSerializer
from apps.projects.models import Project
from tests.support.completeness import assert_complete
from tests.support.factories import add_document, add_project

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.none() | st.booleans() | INTEGERS | TEXT | st.uuids() | st.dates()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12)


def both(data: Any) -> tuple[bytes, bytes]:
    return FastJSONRenderer().render(data), JSONRenderer().render(data)


@given(JSON.filter(lambda data: data is not None))
def test_renderer__of_anything__writes_what_the_stock_one_writes(data):
    fast, stock = both(data)

    assert json.loads(fast) == json.loads(stock)


@pytest.mark.parametrize(
    "value",
    [
        None,
        '\u2028 é 🦄 </script> " \\',
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        date(2026, 1, 2),
        timedelta(hours=1),
        Decimal("1.10"),
        UUID(int=7),
        lazy(lambda: "later", str)(),
        {1: "number", "a": [1, 2.5, True]},
        {"beyond 64 bits": [2**64, -(10**300)]},
    ],
)
def test_renderer__of_one_value__writes_the_same_text(value):
    fast, stock = both(value)

    assert fast.replace(b"\xe2\x80\xa8", b"\\u2028") == stock


@pytest.mark.parametrize("serializer_class", [ProjectSerializer, DocumentSerializer, CustomFieldSerializer])
def test_columns__of_a_plain_serializer__are_its_fields(serializer_class):
    assert plain_columns(serializer_class) == tuple(serializer_class().fields)


@pytest.mark.parametrize("serializer_class", [MemberSerializer, InvitationSerializer])
def test_columns__of_a_serializer_that_does_more__are_none(serializer_class):
    assert plain_columns(serializer_class) is None


@pytest.mark.parametrize("serializer_class", [RoleSerializer, ApiKeySerializer])
def test_columns__of_lists_and_times__are_plain(serializer_class):
    assert plain_columns(serializer_class)


# Those that show more than columns, and why they are read row by row.
ROW_BY_ROW = {
    "MemberSerializer": "the name of a role may be a custom one's",
    "MeSerializer": "shows permissions; it is of one row",
    "InvitationSerializer": "the name of a role may be a custom one's",
    "NewApiKeySerializer": "shows the secret; it is of one row",
}


def test_serializers__of_models__read_columns_or_say_why_not():
    existing = {named.__name__: named for named in _subclasses(ModelSerializer)}
    row_by_row = {name for name, named in existing.items() if plain_columns(named) is None}

    assert_complete(ROW_BY_ROW, row_by_row, table="tests/test_rendering.py:ROW_BY_ROW, or apps/core/rendering.py:PLAIN")


def test_serializers__of_models__work_their_fields_out_once():
    ours = {named for named in _subclasses(StockSerializer) if named.__module__.startswith("apps.")}

    assert ours == {ModelSerializer, *_subclasses(ModelSerializer)}
    for named in _subclasses(ModelSerializer):
        assert repr(named()) == repr(named()) == repr(_stock_twin(named)())


def _stock_twin(named: type[Any]) -> type[Any]:
    """The same serializer with the stock way to its fields."""
    return type(named.__name__, (named,), {"Meta": named.Meta, "get_fields": StockSerializer.get_fields})


def test_fields__changed_in_one_serializer__are_as_declared_in_the_next():
    ProjectSerializer().fields["name"].required = False

    assert ProjectSerializer().fields["name"].required


def _subclasses(of: Any) -> set[Any]:
    return {found for direct in of.__subclasses__() for found in {direct, *_subclasses(direct)}}


def test_rows__read_as_columns__render_like_serialized_ones(home):
    with home.inside():
        add_document(home, add_project(home, name='Ünïcödé "quoted" \u2028'))
        Project.objects.update(custom_fields={"a": 1, "b": None, "c": "é"}, description="line\nline")
        for serializer_class in (ProjectSerializer, DocumentSerializer):
            model = serializer_class.Meta.model
            fast = list(model.objects.values(*(plain_columns(serializer_class) or ())))
            slow = serializer_class(model.objects.all(), many=True).data
            assert FastJSONRenderer().render(fast) == FastJSONRenderer().render(slow)
            (row,) = model.objects.all()
            shown = {column: getattr(row, column) for column in plain_columns(serializer_class) or ()}
            assert FastJSONRenderer().render(shown) == FastJSONRenderer().render(slow[0])


def test_time__with_another_offset__is_told_with_it():
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2)))

    assert FastJSONRenderer().render(moment) == b'"2026-01-02T03:04:00+02:00"'
