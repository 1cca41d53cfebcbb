"""However many schemas are visited, no server process comes to know more than a slice of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connections

from apps.fleet.likeness import differences
from apps.fleet.survey import SchemaStatus, survey
from apps.projects.models import Project
from apps.tenancy import databases
from apps.tenancy.context import CONTROL_ALIAS, control, use
from apps.tenancy.postgresql import base
from apps.tenancy.schemas import ledger, slices
from apps.tenancy.schemas.release import this_release
from apps.tenancy.transactions import atomic
from apps.tenants.locations import all_locations, location_of
from apps.tenants.models import Tenant
from apps.tenants.services import schema_store
from tests.support import servers
from tests.support.completeness import assert_complete
from tests.support.factories import create_organization
from tests.support.releases import schemas

APPS = Path(__file__).resolve().parents[1] / "apps"
OF_MANY = re.compile(
    r"\bpg_(class|namespace|policy|policies|attribute|constraint|index|tables|trigger)\b|UNION|\.nspname"
)
SLICED = re.compile(r"from [\w.]*slices import|sliced\(")
# Modules that ask the catalog and need no slices, and why: what PostgreSQL keeps is what it learns of a table whose
# definition it spells out or whose rows it reads.
UNSLICED = {
    "operations/measuring.py": "counts rows of the catalog, and opens no table that they are about",
    "tenancy/outbox/events.py": "asks for rows of one table",
    "tenancy/outbox/relay.py": "asks for rows of one table",
    "assurance/catalog.py": "asks about the schemas of the slice that it is given: test_catalog__…",
    "operations/unsealed.py": "reads a count of each table, and opens none",
    "tenancy/checks.py": "asks for the tables of one schema",
    "tenancy/schemas/server.py": "asks for one schema",
    "tenancy/schemas/shape.py": "asks about the schemas of the slice that it is given: test_differences__…",
    "tenancy/schemas/unlocked_steps.py": "asks for one index",
    "tenancy/walls/pooling.py": "asks whether a role owns anything",
}


@pytest.fixture
def two_each(monkeypatch) -> None:
    """A connection visits two schemas."""
    for module in ("apps.tenancy.postgresql.base", "apps.tenancy.schemas.slices", "apps.fleet.migrator"):
        monkeypatch.setattr(f"{module}.SCHEMAS_PER_CONNECTION", 2)


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The alias of each connection that is opened from now on."""
    found: list[str] = []
    connect = base.DatabaseWrapper.connect

    def counted(self: base.DatabaseWrapper) -> None:
        found.append(self.alias)
        connect(self)

    connections.close_all()
    monkeypatch.setattr(base.DatabaseWrapper, "connect", counted)
    return found


# -- the one way ---------------------------------------------------------------------------------------------------


def test_modules__that_ask_the_catalog__do_so_in_slices_or_say_why_not():
    asking = {
        str(path.relative_to(APPS)): path.read_text()
        for path in APPS.rglob("*.py")
        if "stripe_sandbox" not in path.parts and "migrations" not in path.parts and OF_MANY.search(path.read_text())
    }
    unsliced = [name for name, text in asking.items() if not SLICED.search(text)]

    assert_complete(UNSLICED, unsliced, table="tests/test_slices.py:UNSLICED")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 9])
def test_slices__of_things__have_each_once_and_in_order(two_each, number):
    some = list(slices.sliced(range(number)))

    assert [thing for part in some for thing in part] == list(range(number))
    assert all(1 <= len(part) <= 2 for part in some)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("way", [slices.in_slices, slices.one_by_one])
def test_slices__of_schemas__have_a_connection_each(platform, database, two_each, opened, way, number):
    alias = databases.owner_alias()

    for _ in way(alias, range(number)):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")

    assert opened == [alias] * ((number + 1) // 2)


# -- who goes it ---------------------------------------------------------------------------------------------------


def test_differences__in_slices__are_found_wherever_they_are(platform, database, two_each, opened):
    with schemas(*[None] * 5) as locations:
        for damaged in locations:
            table = f'"{damaged.schema}".projects_project'
            with servers.as_owner() as connection:
                connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            compared: list[int] = []
            opened.clear()

            found = differences(this_release(), locations, compared.append)

            assert list(found) == [damaged]
            assert compared == [2, 2, 1]
            assert len(opened) >= 2
            with servers.as_owner() as connection:
                connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def test_survey__in_slices__finds_who_is_behind(platform, database, two_each, opened):
    with schemas(*[None] * 5) as locations:
        with servers.as_owner() as connection:
            connection.execute(
                "DELETE FROM platform.schema_ledger WHERE schema = ANY(%s)", [[x.schema for x in locations]]
            )
        opened.clear()

        found = survey(this_release(), locations)

    assert [one.location for one in found] == locations
    assert {one.status for one in found} == {SchemaStatus.BEHIND}
    assert {len(one.state.applied) for one in found} == {len(this_release().missing(frozenset()))}
    assert len(opened) >= 2


def test_ledger__of_some_schemas__is_not_read_for_others(platform, database):
    with schemas(None, None) as (one, other):
        found = ledger.fingerprints(databases.owner_alias(), [one.schema, "t_nowhere"])

    assert found == {one.schema: this_release().fingerprint}
    assert other.schema not in found


def test_store__filled__has_a_connection_for_each_slice(platform, database, two_each, opened):
    before = schema_store.stock().schemas
    opened.clear()

    schema_store.replenish(schemas=before + 5)

    assert opened.count(databases.owner_alias()) >= 2


def test_organizations__visited_one_by_one__have_a_connection_for_each_slice(platform, database, two_each):
    organizations = [create_organization(f"Visited {number}", "schema") for number in range(6)]
    pids, schemas_by_pid = [], {}
    for organization in organizations * 2:
        with organization.inside():
            assert Project.objects.count() == 0
            pids.append(backend())
            schemas_by_pid.setdefault(pids[-1], set()).add(organization.context.schema)

    assert max(map(len, schemas_by_pid.values())) <= 3  # the third is the one after which it is parted with
    assert len(set(pids)) >= 4


def test_organizations__visited_while_others_are_read__go_on_being_read(platform, database, two_each):
    for number in range(5):
        create_organization(f"Read {number}", "schema")
    with control("list"):
        ids = list(Tenant.objects.filter(name__startswith="Read").values_list("id", flat=True))
        met = []
        for tenant in Tenant.objects.with_placement().filter(id__in=ids).iterator(chunk_size=1):
            with use(tenant.context()):
                Project.objects.create(name="met")
            met.append(tenant.id)

    assert sorted(met) == sorted(ids)


def test_connection__in_a_transaction__stays_whatever_it_knows(acme, two_each, monkeypatch):
    with acme.inside(), atomic():
        first = backend()
        connections[CONTROL_ALIAS]._schemas_touched |= {"a", "b", "c"}
        Project.objects.create(name="kept")
        assert backend() == first
    with acme.inside():
        assert backend() != first
        assert Project.objects.filter(name="kept").exists()


def backend() -> int:
    with connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


# -- one location --------------------------------------------------------------------------------------------------


def test_location__of_one_organization__is_the_one_among_all(home):
    wanted = (home.context.alias, home.context.schema)
    (among_all,) = [one for one in all_locations() if (one.database or CONTROL_ALIAS, one.schema) == wanted]

    assert location_of(slug=home.tenant.slug) == among_all
    assert location_of(schema_name=home.tenant.schema_name) == among_all
    assert home.tenant.id in among_all.tenants


def test_location__of_nobody__is_none(platform, database):
    assert location_of(slug="nobody") is None
    assert location_of(schema_name="nobody") is None


def test_location__of_one_organization__costs_the_same_however_many_there_are(home):
    def cost() -> int:
        before = databases.statements_sent()
        location_of(slug=home.tenant.slug)
        return databases.statements_sent() - before

    few = cost()
    for number in range(5):
        create_organization(f"More {number}", "schema")

    assert cost() == few <= 2
