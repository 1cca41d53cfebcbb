"""Commands: one line, one exit code."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.support.clients import ME, Program, issue
from tests.support.commands import call, run
from tests.support.factories import add_project


def test_provision_tenant__twice__says_the_same_and_creates_once(platform, database, capsys):
    arguments = ["provision_tenant", "Command & Sons", "--owner-email", "owner@command.example", "--json"]

    first, second = (json.loads(call(capsys, *arguments)) for _ in range(2))

    assert first["slug"] == "command-sons"
    assert first["status"] == "ready"
    assert (first.pop("created"), second.pop("created")) == (True, False)
    assert first == second


@pytest.mark.parametrize("kind", ["pool", "schema", "database"])
def test_provision_tenant__in_each_placement__is_ready(platform, database, capsys, kind):
    arguments = ["provision_tenant", f"In {kind}", "--owner-email", "in@command.example", "--placement", kind, "--json"]

    result = json.loads(call(capsys, *arguments))

    assert (result["placement"], result["status"]) == (kind, "ready")


def test_provision_tenant__of_names_without_latin_letters__tells_them_apart(platform, database, capsys):
    names = ["日本", "Привет", "🦊"]
    owner = ["--owner-email", "owner@command.example", "--json"]

    created = [json.loads(call(capsys, "provision_tenant", name, *owner)) for name in names]
    again = [json.loads(call(capsys, "provision_tenant", name, *owner)) for name in names]

    assert len({result["slug"] for result in created}) == 3
    assert [result["id"] for result in created] == [result["id"] for result in again]


def test_provision_tenant__as_a_dry_run__changes_nothing(platform, database, capsys):
    before = call(capsys, "list_tenants")

    said = call(capsys, "provision_tenant", "Dry", "--owner-email", "dry@command.example", "--dry-run")

    assert "would be created" in said
    assert call(capsys, "list_tenants") == before


def test_list_tenants__as_json__is_one_object_per_line(platform, database, capsys):
    rows = [json.loads(line) for line in call(capsys, "list_tenants", "--json").splitlines()]

    assert {row["placement"] for row in rows} == {"pool", "schema", "database"}
    assert all(row["status"] == "ready" for row in rows)


WRONG = [
    (["provision_tenant", "X", "--owner-email", "nobody"], 2),
    (["provision_tenant", "X", "--owner-email", "a@b.example", "--placement", "moon"], 2),
    (["provision_tenant", "X"], 2),
    (["provision_tenant", "\n\t ", "--owner-email", "a@b.example"], 1),
    (["provision_tenant", "schema home", "--owner-email", "other@b.example"], 3),
    (["hold_tenant", "nobody", "--reason", "x"], 1),
    (["hold_tenant", "schema-home", "--reason", " "], 1),
    (["hold_tenant", "schema-home"], 2),
    (["provision_tenant", "schema home", "--owner-email", "owner3@example.com", "--placement", "pool"], 1),
    (["replenish_schemas", "--schemas", "-3"], 2),
    (["setup_roles", "--login-url", "nonsense"], 1),
    (["release_tenant", "nobody"], 1),
    (["set_replica", "nobody", "--address", "replica.example:5432"], 1),
    (["set_replica", "database-home", "--address", "replica.example"], 1),
    (["set_replica", "database-home", "--address", "replica.example:99999"], 1),
    (["set_replica", "database-home", "--address", "replica.example:0"], 1),
    (["set_replica", "database-home", "--address", "[1:2:3]:5432"], 1),
    (["set_replica", "database-home", "--address", f"{'replica.' * 40}example:5432"], 1),
    (["set_replica", "database-home"], 2),
    (["look_up_anew", "nobody"], 1),
    (["look_up_anew"], 2),
    (["look_up_anew", "schema-home", "--all"], 2),
    (["migrate_schemas", "--schema", "nothing"], 1),
    (["migrate_schemas", "--shared", "--tenant"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), WRONG, ids=str)
def test_command__with_wrong_input__says_why_in_one_line(platform, database, arguments, code):
    with pytest.raises(CommandError) as caught:
        call_command(*arguments)

    usage = str(caught.value).startswith("Error: ")  # how call_command puts what a process ends with 2 for
    assert (2 if usage else caught.value.returncode) == code
    assert "\n" not in str(caught.value)


def test_command__as_a_process__ends_with_its_code_and_no_traceback(platform, database):
    wrong = run("provision_tenant", "X", "--owner-email", "nobody")
    without_owner = run("replenish_schemas", DATABASE_OWNER_URL="", DATABASE_OPERATOR_URL="")

    in_production = run("seed_demo", ENVIRONMENT="production")

    assert (wrong.returncode, without_owner.returncode, in_production.returncode) == (2, 1, 1)
    assert "Traceback" not in wrong.stderr + without_owner.stderr
    assert "DATABASE_OWNER_URL" in without_owner.stderr


def test_setup_roles__again__changes_nothing_that_matters(platform, database, acme, capsys):
    call(capsys, "setup_roles")

    assert add_project(acme).name
    call(capsys, "migrate_schemas")
    assert "behind: 0" in call(capsys, "migrate_schemas", "--tenant")


def test_deactivate_person__of_a_member__shuts_them_out_until_it_is_undone(acme, capsys):
    credentials = {"email": acme.owner.email, "password": acme.password}
    access = issue(acme).access

    said = call(capsys, "deactivate_person", "--email", acme.owner.email)

    assert said == f"{acme.owner.email} is shut out.\n"
    assert Program(acme.host, access).get(ME).status_code == 401
    assert Program(acme.host).post("auth/login", credentials).status_code == 401
    call(capsys, "deactivate_person", "--email", acme.owner.email, "--undo")
    assert Program(acme.host).post("auth/login", credentials).status_code == 200
