"""What is made once for all queries of a kind is what Django makes for each."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.db import connection
from django.db.backends.postgresql.compiler import SQLCompiler as DjangoCompiler
from django.db.models import Count, F, Model, QuerySet
from django.db.models.functions import Lower

from apps.tenancy.context import TenantContext, use
from apps.tenancy.postgresql import compiler

SOMEBODY = TenantContext(UUID(int=1), "somebody", "default", "t_somebody")
MODELS = [model for model in apps.get_models() if model.__module__.startswith("apps.")]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(compiler, "_columns", {})
    monkeypatch.setattr(compiler, "_orders", {})


def queries(model: type[Model]) -> dict[str, QuerySet[Any]]:
    """Each way to choose columns, rows and order that code has, of one model."""
    rows, names = model._default_manager.all(), [field.attname for field in model._meta.concrete_fields]
    few = names[:3]
    orders = {f"by {sign}{name}": rows.order_by(f"{sign}{name}") for name in names for sign in ("", "-")}
    return orders | {
        "all": rows,
        "first": rows.order_by("pk")[:1],
        "page": rows.order_by(f"-{names[-1]}", "pk")[3:7],
        "reversed": rows.order_by(names[-1]).reverse(),
        "expression": rows.order_by(F(names[-1]).desc(nulls_last=True)),
        "values": rows.values(*few),
        "values, other order": rows.values(*reversed(few)),
        "values, ordered": rows.values(*few).order_by(f"-{few[-1]}"),
        "values, ordered by others": rows.values(few[0]).order_by(names[-1]),
        "values list": rows.values_list(*few),
        "flat": rows.values_list(few[0], flat=True),
        "renamed": rows.values(other=F(few[0])),
        "only": rows.only(*few),
        "defer": rows.defer(*few),
        "distinct": rows.distinct(),
        "distinct on": rows.order_by(few[-1]).distinct(few[-1]),
        "annotated": rows.annotate(text=Lower(few[0])).order_by("text"),
        "grouped": rows.values(few[0]).annotate(number=Count("pk")).order_by(few[0]),
        "locked": rows.select_for_update(),
        "one": rows.filter(pk=UUID(int=7)) if names[0] == "id" else rows.filter(pk__isnull=False),
        "within": rows.filter(pk__in=model._default_manager.order_by(names[-1]).values("pk")[:5]),
        "union": rows.union(rows).order_by(names[-1]) if not model._meta.ordering else rows,
        "unordered": rows.order_by(),
        "extra": rows.extra(select={"more": "1"}),
        "nothing": rows.none(),
        "related": rows.select_related(),
        "by related": _by_related(rows),
    }


def _by_related(rows: QuerySet[Any]) -> QuerySet[Any]:
    related = next((field.name for field in rows.model._meta.concrete_fields if field.is_relation), "pk")
    return rows.order_by(related).filter(**{f"{related}__isnull": False})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_queries__of_each_kind__are_written_as_django_writes_them(model):
    with use(SOMEBODY):
        for kind in queries(model):
            written = [written_by(compiler.SQLCompiler, queries(model)[kind]) for _ in range(2)]

            assert written == [written_by(DjangoCompiler, queries(model)[kind])] * 2, kind


def written_by(kind: type[Any], rows: QuerySet[Any]) -> Any:
    made = kind(rows.query.clone(), connection, "default")
    try:
        sql = made.as_sql()
    except Exception as error:
        return repr(error)
    columns = [made_of(expression) for expression, _, _ in made.select]
    fields = made.klass_info and (made.klass_info["model"], made.klass_info["select_fields"])
    return sql, columns, fields, made.annotation_col_map, made.col_count


def made_of(expression: Any) -> Any:
    return expression.identity if hasattr(expression, "identity") else repr(expression)


def test_kinds__beyond_what_is_kept__are_made_each_time(monkeypatch):
    monkeypatch.setattr(compiler, "KINDS_KEPT", 3)
    with use(SOMEBODY):
        for model in MODELS:
            written_by(compiler.SQLCompiler, model._default_manager.all())

    assert len(compiler._columns) == 3


def test_rows__of_another_organization__are_still_refused():
    rows: Any = apps.get_model("projects.Project")._default_manager
    with use(SOMEBODY):
        own = rows.all()
        written_by(compiler.SQLCompiler, own)

    with use(TenantContext(UUID(int=2), "other", "default", "t_other")):
        assert "CrossTenantUse" in written_by(compiler.SQLCompiler, own)
