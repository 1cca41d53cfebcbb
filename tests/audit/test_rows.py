"""The audit log's rows: only ever added to; how far a sink was sent them is moved."""

from __future__ import annotations

import itertools

import pytest
from django.apps import apps
from django.db import ProgrammingError, connections

from apps.audit.errors import NotInTransaction
from apps.audit.models import SinkCursor
from apps.tenancy.context import control
from apps.tenancy.planes import TENANT, plane_of
from apps.tenancy.transactions import atomic

MODELS = list(apps.get_app_config("audit").get_models())

REFUSED = ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}", "SELECT * FROM {} FOR UPDATE"]
MAY_LOCK = (SinkCursor, "SELECT * FROM {} FOR UPDATE")  # as it may move one
REFUSED_TO_CONTROL = [pair for pair in itertools.product(MODELS, REFUSED) if pair != MAY_LOCK]


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows__changed_by_a_tenant__are_denied(home, model, statement):
    alias = home.context.alias if plane_of(model) == TENANT else "default"

    with home.inside(), connections[alias].cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
        cursor.execute(statement.format(model._meta.db_table))


@pytest.mark.parametrize(("model", "statement"), REFUSED_TO_CONTROL)
def test_rows__changed_by_the_control_plane__are_denied(acme, model, statement):
    schema = acme.context.schema if plane_of(model) == TENANT else "public"

    with control("attack"), connections["default"].cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
        cursor.execute(statement.format(f'"{schema}".{model._meta.db_table}'))


def test_record__outside_a_transaction__is_refused(log):
    with log.inside(), pytest.raises(NotInTransaction):
        log._record()


def test_record__in_a_rolled_back_act__leaves_nothing(log):
    with log.inside(), pytest.raises(ZeroDivisionError), atomic():
        log._record()
        raise ZeroDivisionError

    assert log.verify().events == 0
