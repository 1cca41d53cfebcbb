"""Each wall alone keeps tenants apart while the others are switched off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connections, models

from apps.projects.models import Document, Project
from apps.tenancy.context import use
from tests.support import servers
from tests.support.factories import Organization


@contextmanager
def without_row_level_security(*organizations: Organization) -> Iterator[None]:
    """Row-level security off on every tenant table of the organizations' schemas."""
    places = {(o.database, o.context.schema) for o in organizations}
    switch(places, "NO FORCE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY")
    try:
        yield
    finally:
        switch(places, "ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY")


def switch(places: set[Any], *actions: str) -> None:
    for database, schema in places:
        with servers.as_owner(database) as connection:
            for table in ("projects_project", "projects_document"):
                for action in actions:
                    connection.execute(f'ALTER TABLE "{schema}".{table} {action}')


def unscoped(model: Any) -> models.QuerySet[Any]:
    """The rows without the manager's filter."""
    return models.QuerySet(model)


def rows(context: Any, table: str) -> int:
    with connections[context.alias].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def test_the_switches__in_a_pool__really_leave_nothing(platform, database, own_and_loot):
    one, other = platform["pool"]

    with without_row_level_security(one, other), one.inside():
        assert unscoped(Project).count() == 2, "with both walls off the rows of the pool are visible"


@pytest.fixture
def own_and_loot(platform, database) -> None:
    from tests.support.things import stock

    for pair in platform.values():
        for organization in pair:
            stock(organization)


def test_manager__alone__keeps_tenants_of_a_pool_apart(platform, own_and_loot):
    one, other = platform["pool"]
    before = other.fingerprint()

    with without_row_level_security(one, other), one.inside():
        assert {p.tenant_id for p in Project.objects.all()} == {one.tenant.id}
        assert {d.tenant_id for d in Document.objects.filter(project__in=Project.objects.all())} == {one.tenant.id}
        assert {d.tenant_id for p in Project.objects.all() for d in p.documents.all()} == {one.tenant.id}
        assert Project.objects.update(description="changed") == 1
        assert Project._base_manager.filter(tenant_id=other.tenant.id).count() == 0
        Project.objects.all().delete()

    assert other.fingerprint() == before


def test_row_level_security__alone__keeps_tenants_apart(home, own, loot, untouched):
    with home.inside():
        assert [p.name for p in unscoped(Project)] == [own.word]
        assert unscoped(Project).update(description="changed") == 1
        assert rows(home.context, "projects_document") == 1
        assert rows(home.context, f'"{home.context.schema}".projects_project') == 1


@pytest.mark.parametrize("kind", ["schema", "database"])
def test_schema__alone__keeps_tenants_apart(platform, own_and_loot, kind):
    one, other = platform[kind]
    before = other.fingerprint()

    with without_row_level_security(one, other), one.inside():
        assert [p.tenant_id for p in unscoped(Project)] == [one.tenant.id]
        assert unscoped(Project).update(description="changed") == 1

    assert other.fingerprint() == before


def test_role__alone__denies_whoever_has_no_context(home, own):
    statement = f'"{home.context.schema}".projects_project'

    with without_row_level_security(home), use(None), pytest.raises(ProgrammingError, match="permission denied"):
        rows(home.context, statement)


def test_credentials__of_one_database__do_not_open_another(platform, database):
    one, other = platform["database"]
    url = one.tenant._placement().database.url.reveal()

    for target in (other.database, "tenantry"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            servers.connect_url(url.rsplit("/", 1)[0] + f"/{target}")


def test_credentials__of_the_application__do_not_open_a_tenants_database(platform, database):
    from django.conf import settings

    url = settings.DATABASE_URL.rsplit("/", 1)[0] + f"/{platform['database'][0].database}"

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        servers.connect_url(url)


def test_roles__assumed_by_a_foreign_login__reach_nothing(platform, database):
    """A tenant's login may become app_control, but not in the control database."""
    one, _ = platform["database"]
    url = one.tenant._placement().database.url.reveal()

    with servers.connect_url(url) as connection:
        connection.execute("SET ROLE app_control")
        found = connection.execute("SELECT to_regclass('public.tenants_tenant')").fetchone()

    assert found == (None,)
