"""The fleet's commands: what they say, and the codes they end with."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from apps.fleet.models import Quarantine
from apps.tenancy.context import control
from apps.tenancy.schemas.release import this_release
from apps.tenants.models import Placement
from tests.support import servers
from tests.support.commands import call, run

COUNT = "SELECT count(*) FROM platform.schema_ledger"


@pytest.fixture
def forgotten(acme):
    """A schema of which the ledger knows nothing, so that there is something to do."""
    forget = "DELETE FROM platform.schema_ledger WHERE schema = %s"
    with servers.as_owner() as connection:
        connection.execute(forget, [acme.context.schema])
    yield acme
    call_command("migrate_fleet", "--tenant", acme.tenant.slug, "--json")


def test_migrate_fleet__with_something_to_do__tells_it_as_json_lines(forgotten, capsys):
    told = [json.loads(line) for line in call(capsys, "migrate_fleet").splitlines()]

    assert [event["event"] for event in told] == ["surveyed", "wave_began", "migrated", "wave_ended", "finished"]
    assert told[0]["behind"] == 1
    assert told[-1] == {"event": "finished", "status": "done", "migrated": 1, "failed": 0}


def test_migrate_fleet__again__finds_nothing_to_do(platform, database, capsys):
    told = [json.loads(line) for line in call(capsys, "migrate_fleet", "--json").splitlines()]

    assert [event["event"] for event in told] == ["surveyed", "finished"]


def test_migrate_fleet__for_one_tenant__looks_at_no_other(forgotten, capsys):
    (surveyed, *_) = map(
        json.loads, call(capsys, "migrate_fleet", "--tenant", forgotten.tenant.slug, "--json").splitlines()
    )

    assert surveyed["locations"] == 1


def test_migrate_fleet__for_a_kind_of_placement__looks_at_no_other(platform, database, capsys):
    (surveyed, *_) = map(json.loads, call(capsys, "migrate_fleet", "--placement", "database", "--json").splitlines())

    with control("count"):
        assert surveyed["locations"] == Placement.objects.filter(kind="database").count()


@pytest.mark.parametrize("how", ["--plan", "--dry-run"])
def test_migrate_fleet__that_only_looks__changes_nothing(forgotten, capsys, how):
    said = call(capsys, "migrate_fleet", how)

    assert said.startswith("1 schemas (1 schema), replayed: nothing but a note")
    with servers.as_owner() as connection:
        noted = connection.execute("SELECT schema FROM platform.schema_ledger").fetchall()
    assert (forgotten.context.schema,) not in noted


def test_fleet_status__of_a_whole_fleet__is_converged_and_like_new(platform, database, capsys):
    said = json.loads(call(capsys, "fleet_status", "--deep", "--json"))

    assert said["converged"] is True
    assert said["unlike_a_new_schema"] == {}
    assert said["release"] == this_release().fingerprint


def test_fleet_status__with_a_schema_behind__ends_with_three(forgotten, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("fleet_status")

    assert ended.value.code == 3
    assert "behind" in capsys.readouterr().out


def test_fleet_status__with_a_damaged_schema__shows_what_differs(acme, capsys):
    table = f'"{acme.context.schema}".projects_project'
    with servers.as_owner() as connection:
        connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    try:
        call_command("fleet_status")
        with pytest.raises(SystemExit) as ended:
            call_command("fleet_status", "--deep")
    finally:
        with servers.as_owner() as connection:
            connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")

    assert ended.value.code == 3
    assert f"unlike a new schema: default/{acme.context.schema}" in capsys.readouterr().out


def test_fleet_status__with_a_quarantine__shows_the_error(platform, database, capsys):
    with control("put one in quarantine"):
        Quarantine.objects.create(schema="t_stuck", fingerprint="f", error="it is locked")

    assert "default/t_stuck: it is locked" in call(capsys, "fleet_status")


WRONG = [
    (["migrate_fleet", "--tenant", "nobody"], 1),
    (["migrate_fleet", "--canary", "-1"], 2),
    (["migrate_fleet", "--workers", "0"], 2),
    (["migrate_fleet", "--workers", "many"], 2),
    (["migrate_fleet", "--placement", "moon"], 2),
    (["migrate_fleet", "--plan", "--dry-run"], 2),
    (["migrate_fleet", "--tenant", "x", "--placement", "pool"], 2),
    (["fleet_status", "--shallow"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), WRONG, ids=str)
def test_command__with_wrong_input__says_why_in_one_line(platform, database, arguments, code):
    with pytest.raises(CommandError) as caught:
        call_command(*arguments)

    usage = str(caught.value).startswith("Error: ")
    assert (2 if usage else caught.value.returncode) == code
    assert "\n" not in str(caught.value)


def test_migrate_fleet__in_a_process_without_the_owner__says_so_in_one_line(platform, database):
    ended = run("migrate_fleet", DATABASE_OWNER_URL="")

    assert ended.returncode == 1
    assert "DATABASE_OWNER_URL" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["migrate_fleet", "migrate_schemas"])
def test_command__with_a_server_that_does_not_answer__says_so_in_one_line(platform, database, command):
    ended = run(command, DATABASE_OWNER_URL="postgres://owner:secret@127.0.0.1:1/nothing")

    assert ended.returncode == 1
    assert "connection" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_tenant_databases__made_before_there_was_a_ledger__get_one(platform, database, capsys):
    name = platform["database"][0].database
    with servers.as_owner(name) as connection:
        connection.execute("DROP TABLE platform.schema_ledger")
        connection.execute("COMMENT ON SCHEMA platform IS NULL")

    call(capsys, "migrate_fleet")

    with servers.as_owner(name) as connection:
        assert connection.execute(COUNT).fetchone() == (1,)
