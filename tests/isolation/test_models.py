"""Every model of both planes: a foreign organization's rows cannot be read, changed, removed or imitated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connections, router, transaction

from apps.projects.models import Document, Project
from apps.tenancy.context import control, use
from apps.tenancy.errors import ContextError
from apps.tenancy.planes import READ_BY_TENANTS, TENANT, control_models, plane_of, tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement
from tests.support import servers
from tests.support.completeness import assert_complete
from tests.support.things import THINGS, Belongings

WALLED = {model._meta.label: model for model in [*tenant_models(), *walled_control_models()]}
UNWALLED = {m._meta.label: m for m in control_models() if m._meta.label not in WALLED}
REFUSED = "row-level security|permission denied"


@pytest.fixture(params=["autocommit", "atomic"])
def mode(request) -> Callable[[], AbstractContextManager[None]]:
    return nullcontext if request.param == "autocommit" else atomic


@pytest.fixture
def rows(loot) -> list[tuple[Any, Any]]:
    return rows_of(loot)


def test_models__with_a_tenant__are_all_attacked_below():
    made_of_unwalled = {label for label in THINGS if label in UNWALLED}

    assert_complete(set(THINGS) - made_of_unwalled, WALLED, table="tests/support/things.py:THINGS")


def test_foreign_row__through_the_orm__is_not_there(rows, home, mode, subtests):
    for model, row in rows:
        with subtests.test(model._meta.label), home.inside(), tolerating_denial(), mode():
            assert not model._base_manager.filter(pk=row.pk).exists()
            assert not model._base_manager.filter(tenant_id=row.tenant_id).exists()


def test_foreign_row__read_by_raw_sql__is_not_there(rows, home, mode, subtests):
    for model, row in rows:
        for table in tables(model, row):
            with subtests.test(model._meta.label, table=table), home.inside(), tolerating_denial(), mode():
                assert run(model, f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [row.tenant_id]) == [(0,)]


@pytest.mark.parametrize("verb", ["UPDATE {table} SET tenant_id = tenant_id", "DELETE FROM {table}"])
def test_foreign_row__changed_by_raw_sql__stays(rows, home, mode, verb, subtests):
    for model, row in rows:
        for table in tables(model, row):
            with subtests.test(model._meta.label, table=table), unchanged(model, row):
                with home.inside(), tolerating_denial(), mode():
                    run(model, verb.format(table=table) + " WHERE tenant_id = %s", [row.tenant_id])


def test_foreign_row__changed_by_the_orm__stays(rows, home, mode, subtests):
    for model, row in rows:
        with subtests.test(model._meta.label), unchanged(model, row):
            with home.inside(), tolerating_denial(), mode():
                model._base_manager.filter(pk=row.pk).update(tenant_id=home.tenant.id)
            with home.inside(), tolerating_denial(), mode():
                model._base_manager.filter(pk=row.pk).delete()


def test_row__inserted_for_a_foreign_tenant__is_refused(rows, home, mode, subtests):
    for model, row in rows:
        with subtests.test(model._meta.label):
            values = {**stored(model, row), model._meta.pk.column: imitation(model)}
            table = model._meta.db_table
            insert = f'INSERT INTO "{table}" SELECT * FROM json_populate_record(null::"{table}", %s)'

            with home.inside(), pytest.raises(DatabaseError, match=REFUSED), mode():
                run(model, insert, [json.dumps(values, default=str)])


def test_own_row__given_to_a_foreign_tenant__is_refused(own, foreign, mode, subtests):
    for model, row in rows_of(own):
        statement = f'UPDATE "{model._meta.db_table}" SET tenant_id = %s WHERE {model._meta.pk.column} = %s'
        with subtests.test(model._meta.label):
            with own.organization.inside(), pytest.raises(DatabaseError, match=REFUSED), mode():
                run(model, statement, [foreign.tenant.id, row.pk])


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM {t}", "DELETE FROM {t}", "UPDATE {t} SET {k} = {k}", "INSERT INTO {t} DEFAULT VALUES"]
)
def test_control_table_without_tenants__in_a_tenant__is_denied(statement, home, subtests):
    read = READ_BY_TENANTS if statement.startswith("SELECT") else frozenset()
    for label, model in UNWALLED.items():
        if label in read:
            continue
        attack = statement.format(t=f'"{model._meta.db_table}"', k=model._meta.pk.column)
        with subtests.test(label):
            with home.inside(), pytest.raises(ProgrammingError, match="permission denied"):
                run(model, attack, [])


def test_table__without_a_context__is_denied(home, subtests):
    for label, model in {**WALLED, **UNWALLED}.items():
        schema = home.context.schema if plane_of(model) == TENANT else "public"
        alias = home.context.alias if plane_of(model) == TENANT else "default"
        for verb in ("SELECT 1 FROM", "DELETE FROM"):
            with subtests.test(label, verb=verb):
                with use(None), connections[alias].cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
                    cursor.execute(f'{verb} "{schema}"."{model._meta.db_table}"')


def test_tenant_table__in_the_control_plane__is_denied(home, subtests):
    alias, schema = home.context.alias, home.context.schema

    for model in tenant_models():
        refused = pytest.raises((ProgrammingError, ContextError))
        with subtests.test(model._meta.label), control("attack"), connections[alias].cursor() as cursor, refused:
            cursor.execute(f'SELECT 1 FROM "{schema}"."{model._meta.db_table}"')


def test_reference__to_a_foreign_row__is_refused_at_commit(home, loot, untouched):
    with home.inside(), pytest.raises(IntegrityError), atomic():
        Document.objects.create(
            project_id=loot.project.id, name="x", file="documents/x", content_type="text/plain", size_bytes=1
        )


def test_unique_name__used_by_a_foreign_tenant__is_free(home, loot):
    with home.inside():
        project = Project.objects.create(name=loot.word)

    assert project.tenant_id == home.tenant.id


def test_new_row__made_at_home__saved_elsewhere__is_refused(home, foreign, untouched):
    with home.inside():
        project = Project(name="made at home")

    with (
        foreign.inside(),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(using=foreign.context.alias),
    ):
        project.save(force_insert=True)


def rows_of(belongings: Belongings) -> list[tuple[Any, Any]]:
    """Each model that has a tenant, with a row of it."""
    return [(model, belongings[label]) for label, model in WALLED.items() if label in THINGS]


def tables(model: Any, row: Any) -> Iterator[str]:
    """The table as the search path finds it, and as it stands in the foreign organization's own schema."""
    yield f'"{model._meta.db_table}"'
    if plane_of(model) == TENANT:
        with control("find the foreign schema"):
            place = Placement.objects.get(tenant_id=row.tenant_id)
        if place.kind != "database":
            yield f'"{place.schema}"."{model._meta.db_table}"'


def run(model: Any, statement: str, params: list[Any]) -> list[Any]:
    with connections[router.db_for_write(model)].cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def stored(model: Any, row: Any) -> dict[str, Any]:
    """The row as it stands in the database, read past all walls."""
    with control("find the row"):
        place = Placement.objects.select_related("database").get(tenant_id=row.tenant_id)
    tenant_plane = plane_of(model) == TENANT
    schema = place.schema if tenant_plane else "public"
    database = place.database.name if tenant_plane and place.database else None
    with servers.as_operator(database) as connection:
        query = f'SELECT to_json(t) FROM "{schema}"."{model._meta.db_table}" t WHERE {model._meta.pk.column} = %s'
        found = connection.execute(query, [row.pk]).fetchone()
    assert found is not None, "the row is gone"
    return dict(found[0])


@contextmanager
def unchanged(model: Any, row: Any) -> Iterator[None]:
    before = stored(model, row)
    yield
    assert stored(model, row) == before


def imitation(model: Any) -> Any:
    return 2**40 if model._meta.pk.get_internal_type().endswith("AutoField") else uuid4().hex


@contextmanager
def tolerating_denial() -> Iterator[None]:
    """A refusal by the database is as good as seeing nothing."""
    try:
        yield
    except ProgrammingError as error:
        assert "permission denied" in str(error), error
