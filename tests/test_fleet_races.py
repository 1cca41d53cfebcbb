"""What happens when several processes migrate, or wait to, at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.conf import settings
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections, models
from django.db.migrations import RunPython

from apps.fleet.rollout.places import Place
from apps.tenancy import databases, owner, server, shape
from apps.tenancy.planes import TENANT
from apps.tenancy.release import this_release
from tests import servers
from tests.fleet import add_color, migrate, next_release, noted, schemas
from tests.test_fleet import place_of, rolled_back

PATIENCE_SECONDS = 10
CURRENT = server.PLATFORM_VERSION


@pytest.fixture
def place(database) -> Iterator[Place]:
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


def test_process__that_waits_for_its_turn__keeps_no_index_from_being_made(place):
    """CREATE INDEX CONCURRENTLY waits for whoever has a snapshot, as a statement has that waits for a lock."""
    index = AddIndexConcurrently("project", models.Index(fields=["name"], name="projects_later_index"))
    outcomes = []

    def wait() -> None:
        with databases.owner_lock("somebody's turn"):
            pass

    waiting = beside(wait)
    migrating = beside(lambda: outcomes.append(migrate(next_release(index, atomic=False), [place])))
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


def test_schema__that_another_process_steps_through__is_not_replayed_meanwhile(place):
    outcomes = []
    migrating = beside(lambda: outcomes.append(migrate(next_release(add_color()), [place])))

    with owner.reserved(databases.owner_alias(), place.schema):
        migrating.start()
        migrating.join(1)
        meanwhile = noted(place)
    migrating.join()

    assert meanwhile == []
    assert outcomes[0].is_complete, outcomes[0].failed


def test_python__in_a_migration__runs_for_tenants_that_came_after_the_run_began(home):
    place, seen = place_of(home), []
    earlier = replace(place, tenants=())
    release = next_release(RunPython(lambda apps, schema_editor: seen.append(schema_editor), hints={"plane": TENANT}))

    with rolled_back(place):
        assert migrate(release, [earlier]).is_complete

    assert len(seen) == len(place.tenants)


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


@pytest.mark.parametrize(("found", "left"), [(CURRENT - 1, CURRENT), (CURRENT + 1, CURRENT + 1)])
def test_platform_schema__is_brought_on_but_never_back(database, found, left):
    with servers.as_owner() as connection:
        connection.execute(f"COMMENT ON SCHEMA platform IS '{found}'")

        server.upgrade_platform(connection, operator=settings.DATABASE_OPERATOR_ROLE)

        row = connection.execute("SELECT obj_description('platform'::regnamespace, 'pg_namespace')").fetchone()
        connection.execute(f"COMMENT ON SCHEMA platform IS '{CURRENT}'")
    assert row == (str(left),)
