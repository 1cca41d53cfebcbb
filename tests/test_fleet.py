"""Every schema of every database comes to a release, or is put aside with the reason; nothing happens twice."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections, models
from django.db.migrations import AddConstraint, RunPython, RunSQL, SeparateDatabaseAndState
from django.test.utils import CaptureQueriesContext

from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent
from apps.fleet.errors import NothingQuarantined
from apps.fleet.likeness import differences
from apps.fleet.models import MigrationRun, Quarantine
from apps.fleet.services import migration
from apps.fleet.services.plan import plan_fleet, rehearse
from apps.fleet.survey import SchemaStatus, survey
from apps.projects.models import Project
from apps.tenancy import databases
from apps.tenancy.context import control
from apps.tenancy.planes import TENANT
from apps.tenancy.schemas import ledger, owner
from apps.tenancy.schemas.release import this_release
from apps.tenants.locations import SchemaLocation
from apps.tenants.models import Placement
from apps.tenants.services import schema_store
from tests.support import servers
from tests.support.clients import Program, issue
from tests.support.factories import add_project
from tests.support.releases import (
    add_color,
    columns,
    create_label,
    later,
    location_of,
    migrate,
    next_release,
    noted,
    roll_back,
    rolled_back,
    schemas,
)


@pytest.fixture
def own_database(platform) -> str:
    return str(platform["database"][0].database)


@pytest.fixture
def locations(database, own_database):
    """Schemas in the control plane's database and in a tenant's own."""
    with schemas(None, None, None, own_database) as made:
        yield made


def statuses(release, locations) -> Counter[str]:
    return Counter(str(found.status) for found in survey(release, locations))


# -- converging --------------------------------------------------------------------------------------------------


def test_fleet__behind__comes_to_the_release_in_every_database(locations):
    release = next_release(add_color(), create_label())

    outcome = migrate(release, locations)

    assert (outcome.migrated, outcome.is_complete) == (4, True)
    assert statuses(release, locations) == {SchemaStatus.CURRENT: 4}
    assert all("color" in columns(location) and columns(location, "projects_label") for location in locations)
    assert differences(release, locations) == {}


def test_fleet__again__asks_once_for_each_database_and_changes_nothing(locations):
    release = next_release(add_color())
    migrate(release, locations)
    owners = [databases.owner_alias(name) for name in {location.database for location in locations}]

    with (
        CaptureQueriesContext(connections[owners[0]]) as first,
        CaptureQueriesContext(connections[owners[1]]) as second,
    ):
        outcome = migrate(release, locations)

    assert (outcome.behind, len(first), len(second)) == (0, 1, 1)
    assert [len(noted(location)) for location in locations] == [1] * 4


def test_statements__of_schemas_that_are_alike__are_made_once(locations):
    told = []
    migration.migrate_fleet(
        actor=SYSTEM,
        release=next_release(add_color()),
        locations=locations,
        canaries=0,
        report=lambda event, /, **details: told.append(details.get("how", event)),
    )

    assert (told.count("recorded"), told.count("replayed")) == (1, 3)


def test_statement__that_ends_with_a_comment__does_not_swallow_the_next_one(locations):
    commented = RunSQL(["COMMENT ON TABLE projects_project IS 'later' -- why"], hints={"plane": TENANT})
    release = next_release(commented, add_color())

    outcome = migrate(release, locations)

    assert outcome.failed == {}
    assert all("color" in columns(location) for location in locations)
    for _ in range(2):  # by the migrations, then by their statements
        assert differences(release, locations) == {}


def test_run__killed_when_all_was_done__is_noted_by_the_next_one(locations):
    with control("prepare"):
        MigrationRun.objects.create(fingerprint="f" * 32, started_by="migrate_fleet")

    assert migrate(this_release(), locations).behind == 0

    with control("read"):
        assert MigrationRun.objects.get().status == MigrationRun.Status.INTERRUPTED


def test_schema__that_the_ledger_does_not_know__is_noted_and_left_as_it_is(locations):
    with servers.as_owner() as connection:
        connection.execute("DELETE FROM platform.schema_ledger WHERE schema = %s", [locations[0].schema])

    outcome = migrate(this_release(), locations)

    assert (outcome.behind, outcome.migrated) == (1, 1)
    assert statuses(this_release(), locations) == {SchemaStatus.CURRENT: 4}


def test_schema__of_a_later_release__is_left_alone(locations):
    migrate(next_release(add_color()), locations)

    outcome = migrate(this_release(), locations)

    assert outcome.behind == 0
    assert statuses(this_release(), locations) == {SchemaStatus.AHEAD: 4}


def test_schema__that_also_has_what_nobody_knows__is_refused(locations):
    migrate(next_release(add_color()), locations[:1])

    outcome = migrate(next_release(create_label()), locations)

    assert noted(locations[0])[0] in outcome.failed[locations[0]]
    assert outcome.migrated == 3


def test_warm_schema__built_by_the_release_before__is_migrated_when_the_store_is_filled(
    platform, database, monkeypatch
):
    schema_store.replenish(schemas=1)
    with control("find a warm schema"):
        schema = Placement.objects.warm().filter(built=True)[0].schema
    location = SchemaLocation(None, schema, "warm")
    release = next_release(RunSQL("SELECT 1"))
    monkeypatch.setattr(schema_store, "this_release", lambda: release)

    schema_store.replenish(schemas=1)

    assert len(noted(location)) == 1
    with servers.as_owner() as connection:
        connection.execute(f"DELETE FROM \"{schema}\".django_migrations WHERE name LIKE 'later%'")
        schemas_only = "UPDATE platform.schema_ledger SET fingerprint = %s WHERE schema <> 'platform'"
        connection.execute(schemas_only, [this_release().fingerprint])


def test_warm_schema__that_cannot_be_migrated__does_not_keep_the_store_from_being_filled(
    platform, database, monkeypatch
):
    stock = schema_store.replenish(schemas=1).schemas
    with control("find a warm schema"):
        schema = Placement.objects.warm().filter(built=True)[0].schema
    with servers.as_owner() as connection:
        connection.execute(f"DELETE FROM platform.schema_ledger WHERE schema = '{schema}'")
        connection.execute(f'DELETE FROM "{schema}".django_migrations')
    try:
        assert schema_store.replenish(schemas=stock + 1).schemas == stock + 1
    finally:
        with servers.as_owner() as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
        with control("forget it"):
            Placement.objects.filter(schema=schema).delete()


# -- who cannot be migrated --------------------------------------------------------------------------------------


@pytest.fixture
def broken(locations) -> SchemaLocation:
    """A location where the next release's table is in the way."""
    with servers.as_owner(locations[1].database) as connection:
        connection.execute(f'CREATE TABLE "{locations[1].schema}".projects_label ()')
    return locations[1]


def test_failing_schema__is_quarantined_with_its_error__and_the_others_go_on(locations, broken):
    outcome = migrate(next_release(add_color(), create_label()), locations)

    assert (outcome.migrated, list(outcome.failed)) == (3, [broken])
    assert "color" not in columns(broken)
    with control("read"):
        row, run = Quarantine.objects.get(), MigrationRun.objects.get()
    assert (row.schema, "projects_label" in row.error, row.attempts) == (broken.schema, True, 1)
    assert run.status == MigrationRun.Status.INCOMPLETE


def test_quarantined_schema__mended__is_migrated_by_the_next_run(locations, broken):
    release = next_release(add_color(), create_label())
    migrate(release, locations)
    migrate(release, locations)
    with control("read"):
        assert Quarantine.objects.get().attempts == 2
    with servers.as_owner() as connection:
        connection.execute(f'DROP TABLE "{broken.schema}".projects_label')

    outcome = migrate(release, locations)

    assert (outcome.migrated, outcome.is_complete) == (1, True)
    with control("read"):
        assert not Quarantine.objects.exists()
    assert differences(release, locations) == {}


def test_quarantine__of_schemas_that_a_run_does_not_look_at__stays(locations, broken):
    release = next_release(add_color(), create_label())
    migrate(release, locations)

    migrate(release, locations[2:])

    with control("read"):
        assert Quarantine.objects.get().schema == broken.schema


def test_quarantine__by_another_release__stays_until_a_run_has_looked_at_everything(home):
    location = location_of(home)
    with control("quarantine"):
        Quarantine.objects.create(database=location.key[0], schema=location.schema, fingerprint="another", error="no")

    migrate(this_release(), migration.quarantined_locations())
    with control("read"):
        assert Quarantine.objects.count() == 1

    migration.migrate_fleet(actor=SYSTEM)
    with control("read"):
        assert not Quarantine.objects.exists()


def test_canaries__of_which_one_fails__keep_the_run_from_the_others(locations, broken):
    with control("look"):
        before = ControlEvent.objects.filter(action="fleet.migrated").count()

    outcome = migrate(next_release(create_label()), [broken, *locations], canaries=1)

    assert outcome.stopped
    assert all(noted(location) == [] for location in locations)
    with control("look"):
        assert MigrationRun.objects.get().status == MigrationRun.Status.STOPPED
        assert ControlEvent.objects.filter(action="fleet.migrated").count() == before + 1


def test_canary__that_is_unlike_a_new_schema__keeps_the_run_from_the_others(locations):
    with servers.as_owner() as connection:
        connection.execute(f'ALTER TABLE "{locations[0].schema}".projects_project ADD COLUMN odd int')

    outcome = migrate(next_release(add_color()), locations, canaries=1)

    assert "odd" in outcome.failed[locations[0]]
    assert [noted(location) for location in locations[1:]] == [[], [], []]


def test_canary__that_is_unlike_a_new_schema__stays_in_quarantine_until_it_is_mended(locations):
    release, table = next_release(add_color()), f'"{locations[0].schema}".projects_project'
    with servers.as_owner() as connection:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN odd int")
    migrate(release, locations, canaries=1)

    again = migrate(release, locations, canaries=1)

    assert (list(again.failed), again.migrated, again.is_complete) == ([locations[0]], 3, False)
    with servers.as_owner() as connection:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN odd")
    assert migrate(release, locations).is_complete
    with control("read"):
        assert not Quarantine.objects.exists()


def test_database__that_cannot_be_reached__fails_alone(locations):
    nowhere = SchemaLocation("tenant_that_is_not_there", "t_nowhere", "database")

    outcome = migrate(next_release(add_color()), [nowhere, *locations])

    assert (list(outcome.failed), outcome.migrated) == ([nowhere], 4)


def test_databases_of_tenants__once_looked_at__are_parted_with(locations, own_database):
    migrate(next_release(add_color()), locations, canaries=4)

    with servers.as_owner() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = current_user"
        assert connection.execute(query, [own_database]).fetchone() == (0,)


def test_plan__with_a_database_that_cannot_be_reached__says_so(locations):
    nowhere = SchemaLocation("tenant_that_is_not_there", "t_nowhere", "database")

    (group,) = plan_fleet([nowhere, *locations])

    assert (group.locations, "tenant_that_is_not_there" in group.error) == ([nowhere], True)


def test_schema__that_is_not_there__fails_alone(locations):
    gone = SchemaLocation(None, "t_gone", "schema")

    outcome = migrate(next_release(add_color()), [gone, *locations])

    assert (list(outcome.failed), outcome.migrated) == ([gone], 4)


@pytest.mark.parametrize("error", [ValueError("no such color"), SystemExit("no such color")], ids=repr)
def test_python__that_raises__is_quarantined_by_name(acme, error):
    def fail(apps, schema_editor):
        raise error

    location = location_of(acme)
    with rolled_back(location):
        outcome = migrate(next_release(RunPython(fail, hints={"plane": TENANT})), [location])

        assert outcome.failed[location] == f"{type(error).__name__}: no such color"


def test_value__that_does_not_fit__is_not_shown_to_those_who_read_the_quarantine(acme):
    def cast(apps, schema_editor):
        schema_editor.execute("SELECT name::int FROM projects_project")

    add_project(acme, "Blackbird")
    location = location_of(acme)
    with rolled_back(location):
        outcome = migrate(next_release(RunPython(cast, hints={"plane": TENANT})), [location])

    assert "InvalidTextRepresentation" in outcome.failed[location]
    assert "Blackbird" not in outcome.failed[location]


def test_retry__without_a_quarantine__is_refused(platform, database):
    with pytest.raises(NothingQuarantined):
        migration.request_retry(actor=SYSTEM)


# -- what depends on rows, or cannot run in a transaction ----------------------------------------------------------


def test_python__in_a_migration__runs_for_each_tenant_with_its_rows(home, foreign):
    for organization in (home, foreign):
        add_project(organization, name="before")
    seen = []

    def rename(apps, schema_editor):
        project = apps.get_model("projects", "Project")
        rows = project.objects.using(schema_editor.connection.alias)
        seen.append(rows.count())
        rows.update(name="after")
        project.objects.using(schema_editor.connection.alias).create(name="made")

    location = location_of(home)
    with rolled_back(location):
        outcome = migrate(next_release(RunPython(rename, hints={"plane": TENANT})), [location])

        assert outcome.is_complete, outcome.failed
        assert seen == [1] * len(location.tenants[:2]) + [0] * (len(location.tenants) - 2)
        with home.inside():
            assert {project.name for project in Project.objects.all()} == {"after", "made"}


def concurrent_index() -> AddIndexConcurrently:
    return AddIndexConcurrently("project", models.Index(fields=["name"], name="projects_later_index"))


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_index__made_concurrently__comes_to_every_schema(locations, is_wrapped):
    index = SeparateDatabaseAndState([concurrent_index()], [concurrent_index()]) if is_wrapped else concurrent_index()
    release = next_release(add_color(), index, atomic=False)

    outcome = migrate(release, locations)

    assert outcome.is_complete, outcome.failed
    assert differences(release, locations) == {}


@pytest.mark.parametrize("is_valid", [False, True])
def test_index__whose_making_was_not_noted__is_kept_or_made_anew(locations, is_valid):
    release, location = next_release(add_color(), concurrent_index(), atomic=False), locations[0]
    if not is_valid:
        leave_invalid_index(location.schema)
    with servers.as_owner() as connection:  # what a killed run leaves: a noted first step, and an index
        connection.execute(
            f"ALTER TABLE \"{location.schema}\".projects_project ADD color varchar(20) DEFAULT 'blue' NOT NULL"
        )
        if is_valid:
            connection.execute(f'CREATE INDEX projects_later_index ON "{location.schema}".projects_project (name)')
        connection.execute(
            "UPDATE platform.schema_ledger SET migration = %s, operations_done = 1 WHERE schema = %s",
            [".".join(release.migrations[-1]), location.schema],
        )

    outcome = migrate(release, [location])

    assert outcome.is_complete, outcome.failed
    assert differences(release, [location]) == {}


def leave_invalid_index(schema: str) -> None:
    """Have an index that is there and of no use, as a concurrent making leaves one that did not come to its end."""
    table = f'"{schema}".projects_project'
    columns = "tenant_id, name, description, is_private, custom_fields, created_at, updated_at"
    row = f"INSERT INTO {table} ({columns}) VALUES (gen_random_uuid(), 'twice', '', false, '{{}}', now(), now())"
    with servers.as_operator() as operator, servers.as_owner() as connection:
        for _ in range(2):
            operator.execute(row)
        with pytest.raises(Exception, match="could not create unique index"):
            connection.execute(f"CREATE UNIQUE INDEX CONCURRENTLY projects_later_index ON {table} (name)")
        operator.execute(f"DELETE FROM {table}")


def test_locked_table__is_waited_for_a_little_and_tried_again(locations, monkeypatch):
    monkeypatch.setattr(owner, "LOCK_TIMEOUT", "50ms")
    release, location = next_release(add_color()), locations[0]

    with servers.as_owner() as connection:
        connection.execute("BEGIN")
        connection.execute(f'LOCK TABLE "{location.schema}".projects_project IN ACCESS SHARE MODE')
        timer = threading.Timer(0.5, connection.execute, ["COMMIT"])
        timer.start()
        outcome = migrate(release, locations)
        timer.join()

    assert (outcome.migrated, outcome.is_complete) == (4, True)


def test_table__that_stays_locked__is_quarantined(locations, monkeypatch):
    monkeypatch.setattr(owner, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr("apps.fleet.migrator.FIRST_PAUSE_SECONDS", 0.01)

    with servers.as_owner() as connection, connection.transaction():
        connection.execute(f'LOCK TABLE "{locations[0].schema}".projects_project IN ACCESS SHARE MODE')
        outcome = migrate(next_release(add_color()), locations)

    assert (list(outcome.failed), outcome.migrated) == ([locations[0]], 3)
    assert "lock timeout" in outcome.failed[locations[0]]


def test_runs__at_the_same_time__apply_everything_once(locations):
    release = next_release(add_color(), create_label())
    outcomes = []

    def run() -> None:
        outcomes.append(migrate(release, locations))
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(outcome.migrated for outcome in outcomes) == 4
    assert all(outcome.is_complete for outcome in outcomes)
    assert [len(noted(location)) for location in locations] == [1] * 4


# -- looking first -----------------------------------------------------------------------------------------------


def test_plan__of_what_is_behind__groups_those_that_are_alike(locations):
    first = this_release().followed_by(later(add_color()))
    migrate(first, locations[:1])

    groups = plan_fleet(locations, release=first.followed_by(later(create_label())))

    assert sorted((len(group.migrations), len(group.locations)) for group in groups) == [(1, 1), (2, 3)]


def test_rehearsal__shows_the_statements_and_changes_nothing(locations):
    (group,) = rehearse(locations, release=next_release(add_color()))

    assert any("ADD COLUMN" in statement and "color" in statement for statement in group.statements)
    assert "color" not in columns(locations[0])
    assert statuses(this_release(), locations) == {SchemaStatus.CURRENT: 4}


def test_ledger__in_a_failed_transaction__says_nothing(locations, broken):
    migrate(next_release(add_color(), create_label()), [broken])

    assert ledger.fingerprints(databases.owner_alias(), [broken.schema])[broken.schema] == this_release().fingerprint


# -- the release before on a migrated schema -------------------------------------------------------------------


def test_code_of_the_release_before__works_on_a_migrated_schema(home):
    expand = later(
        add_color(),
        create_label(),
        AddConstraint("project", models.CheckConstraint(condition=~models.Q(color=""), name="projects_color_given")),
    )
    program, location = Program(home.host, issue(home).access), location_of(home)
    program.post("/api/v1/projects", {"name": "before"})
    try:
        assert migrate(this_release().followed_by(expand), [location], canaries=1).is_complete

        made = program.post("/api/v1/projects", {"name": "during"})
        listed = program.get("/api/v1/projects").json()

        assert made.status_code == 201
        assert {row["name"] for row in listed["results"]} == {"before", "during"}
    finally:
        with servers.as_owner(location.database) as connection:
            connection.execute(f'DROP TABLE "{location.schema}".projects_label')
            connection.execute(f'ALTER TABLE "{location.schema}".projects_project DROP COLUMN color')
        roll_back(location)
