"""What happens when several processes migrate, or wait to, at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import pytest
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections, models
from django.db.migrations import RunPython

from apps.fleet.likeness import differences
from apps.fleet.services.plan import rehearse
from apps.fleet.survey import prepare_ledgers
from apps.tenancy import databases
from apps.tenancy.context import control
from apps.tenancy.planes import TENANT
from apps.tenancy.schemas import owner, server, shape
from apps.tenancy.schemas.release import Release, this_release
from apps.tenancy.schemas.replay import SchemaState
from apps.tenancy.transactions import atomic
from apps.tenants.locations import SchemaLocation
from apps.tenants.models import Placement
from apps.tenants.services import schema_store
from tests.support import servers
from tests.support.releases import add_color, location_of, migrate, next_release, noted, rolled_back, schemas

PATIENCE_SECONDS = 10
CURRENT = server.PLATFORM_VERSION


@pytest.fixture
def location(database) -> Iterator[SchemaLocation]:
    with schemas(None) as made:
        yield made[0]


def beside(work: Callable[[], object]) -> threading.Thread:
    """What another process does meanwhile."""

    def thread() -> None:
        try:
            work()
        finally:
            connections.close_all()

    return threading.Thread(target=thread)


def test_process__that_waits_for_its_turn__keeps_no_index_from_being_made(location):
    """CREATE INDEX CONCURRENTLY waits for whoever has a snapshot, as a statement has that waits for a lock."""
    index = AddIndexConcurrently("project", models.Index(fields=["name"], name="projects_later_index"))
    outcomes = []

    def wait() -> None:
        with databases.owner_lock("somebody's turn"):
            pass

    waiting = beside(wait)
    migrating = beside(lambda: outcomes.append(migrate(next_release(index, atomic=False), [location])))
    with databases.owner_lock("somebody's turn"):
        waiting.start()
        time.sleep(0.5)
        migrating.start()
        migrating.join(PATIENCE_SECONDS)
        in_time = not migrating.is_alive()
    waiting.join()
    migrating.join()

    assert in_time
    assert outcomes[0].is_complete


def test_schema__that_another_process_steps_through__is_not_replayed_meanwhile(location):
    outcomes = []
    migrating = beside(lambda: outcomes.append(migrate(next_release(add_color()), [location])))

    with owner.reserved(databases.owner_alias(), location.schema):
        migrating.start()
        migrating.join(1)
        meanwhile = noted(location)
    migrating.join()

    assert meanwhile == []
    assert outcomes[0].is_complete, outcomes[0].failed


def test_python__in_a_migration__runs_for_tenants_that_came_after_the_run_began(home):
    location, seen = location_of(home), []
    earlier = replace(location, tenants=())
    release = next_release(RunPython(lambda apps, schema_editor: seen.append(schema_editor), hints={"plane": TENANT}))

    with rolled_back(location):
        assert migrate(release, [earlier]).is_complete

    assert len(seen) == len(location.tenants)


def test_reference__while_another_one_is_built__does_not_wait_for_it(database, monkeypatch):
    read_lines, found = shape._lines, []

    def build() -> None:
        found.append(shape.reference(databases.owner_alias(), this_release(), operator=settings.DATABASE_OPERATOR_ROLE))

    def read_after_another(cursor: object, schema: str) -> set[str]:
        monkeypatch.setattr(shape, "_lines", read_lines)
        other = beside(build)
        other.start()
        other.join(PATIENCE_SECONDS)
        return read_lines(cursor, schema)

    monkeypatch.setattr(shape, "_lines", read_after_another)
    build()

    assert len(found) == 2
    assert found[0] == found[1]


def test_warm_schema__that_is_being_migrated__is_not_claimed_meanwhile(platform, database, monkeypatch):
    schema_store.replenish(schemas=1)
    claimable: list[bool] = []

    def look(schema: str) -> None:
        with control("claim"), atomic():
            warm = Placement.objects.filter(schema=schema).select_for_update(skip_locked=True)
            claimable.append(warm.exists())

    def look_beside(alias: str, found: SchemaState, release: Release) -> None:
        other = beside(lambda: look(found.schema))
        other.start()
        other.join()

    later_release = next_release(add_color())
    monkeypatch.setattr(schema_store, "this_release", lambda: later_release)
    monkeypatch.setattr(schema_store, "step_through", look_beside)

    schema_store.replenish(schemas=1)

    assert claimable
    assert not any(claimable)


# -- the platform schema of each database ---------------------------------------------------------------------------


def upgrade() -> None:
    with servers.as_owner() as connection:
        connection.execute("SET statement_timeout = '10s'")
        server.upgrade_platform(connection, operator=settings.DATABASE_OPERATOR_ROLE)


def version() -> int:
    with servers.as_owner() as connection:
        row = connection.execute("SELECT obj_description('platform'::regnamespace, 'pg_namespace')").fetchone()
    return int(row[0]) if row else 0


@pytest.fixture
def earlier_platform(location) -> Iterator[None]:
    """A platform schema as the release before has left it."""
    with servers.as_owner() as connection:
        connection.execute("DROP FUNCTION platform.advance_schema")
        connection.execute(f"COMMENT ON SCHEMA platform IS '{CURRENT - 1}'")
    yield
    upgrade()


@pytest.fixture
def hasty(monkeypatch) -> None:
    """Locks are waited for briefly."""
    monkeypatch.setattr(owner, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(owner, "PAUSE_SECONDS", 0.1)


def build_another() -> None:
    with schemas(None):
        pass


BEFORE_THE_UPGRADE: dict[str, Callable[[SchemaLocation], object]] = {
    "build": lambda location: build_another(),
    "compare": lambda location: differences(this_release(), [location]),
    "rehearse": lambda location: rehearse([location], release=next_release(add_color())),
}


@pytest.mark.parametrize("act", BEFORE_THE_UPGRADE)
def test_platform_schema__of_the_release_before__does_for_what_comes_before_a_run(location, earlier_platform, act):
    BEFORE_THE_UPGRADE[act](location)

    assert version() == CURRENT - 1


def test_platform_schema__of_the_release_before__is_upgraded_by_a_run(location, earlier_platform):
    outcome = migrate(next_release(add_color()), [location])

    assert outcome.is_complete, outcome.failed
    assert version() == CURRENT


def test_platform_schema__of_a_later_release__is_left_alone(database):
    with servers.as_owner() as connection:
        connection.execute(f"COMMENT ON SCHEMA platform IS '{CURRENT + 1}'")

    upgrade()

    assert version() == CURRENT + 1
    with servers.as_owner() as connection:
        connection.execute(f"COMMENT ON SCHEMA platform IS '{CURRENT}'")


def test_platform_schema__upgraded_by_several_at_once__comes_to_be_without_an_error(earlier_platform):
    errors: list[Exception] = []
    together = threading.Barrier(4)

    def upgrade_together() -> None:
        together.wait()
        try:
            upgrade()
        except psycopg.Error as error:
            errors.append(error)

    upgrading = [beside(upgrade_together) for _ in range(4)]
    for thread in upgrading:
        thread.start()
    for thread in upgrading:
        thread.join()

    assert errors == []
    assert version() == CURRENT


def test_platform_schema__that_is_in_use__keeps_nobody_waiting_long(earlier_platform, hasty):
    with servers.as_owner() as user, user.transaction():
        user.execute("LOCK TABLE platform.outbox IN ACCESS SHARE MODE")

        with pytest.raises(psycopg.errors.LockNotAvailable):
            upgrade()


def test_platform_schema__that_was_in_use__is_upgraded_when_it_is_free(earlier_platform, hasty):
    with servers.as_owner() as user:
        user.execute("BEGIN; LOCK TABLE platform.outbox IN ACCESS SHARE MODE")
        timer = threading.Timer(0.3, user.execute, ["COMMIT"])
        timer.start()
        prepare_ledgers([None])
        timer.join()

    assert version() == CURRENT
