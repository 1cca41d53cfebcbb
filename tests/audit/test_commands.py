"""The commands that verify and export a log."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from apps.tenancy.context import control
from apps.tenants.models import Tenant

from .logs import THIRD, Log, moved_away


def test_verify_command__of_intact_logs__says_so_and_ends_with_0(home, capsys):
    log = Log(home, "tenant")
    log.record(2)
    log.seal()

    call_command("verify_audit_chain")

    said = capsys.readouterr().out
    assert f"{home.tenant.slug} (tenant): intact; 2 events, 2 sealed, 0 not yet" in said
    assert f"; ends with {log.verify().hash}\n" in said
    assert "platform (control): intact" in said
    assert "TAMPERED" not in said


def test_verify_command__of_a_tampered_log__names_it_and_ends_with_3(log, capsys):
    log.record(6)
    log.seal()
    log.tamper("DELETE FROM {event} WHERE id = " + THIRD)

    with pytest.raises(SystemExit) as ended:
        call_command("verify_audit_chain")

    assert ended.value.code == 3
    assert "removed at 3, event" in capsys.readouterr().out


def test_verify_command__of_one_tenant_as_json__is_an_object_per_chain(acme_log, capsys):
    acme_log.record(3)
    acme_log.seal()
    acme_log.tamper("UPDATE {event} SET action = 'other' WHERE id = " + THIRD)

    with pytest.raises(SystemExit):
        call_command("verify_audit_chain", "--tenant", acme_log.organization.tenant.slug, "--json")

    about, inside = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (about["chain"], about["intact"], about["findings"]) == ("control", True, [])
    assert (inside["chain"], inside["tenant"]) == ("tenant", acme_log.organization.tenant.slug)
    assert (inside["intact"], inside["events"], inside["sealed"], inside["unsealed"]) == (False, 3, 3, 0)
    assert [(finding["kind"], finding["number"]) for finding in inside["findings"]] == [("changed", 3)]


def test_verify_command__with_an_organization_out_of_reach__goes_on_and_ends_with_1(platform, database, capsys):
    with moved_away(platform["schema"][0]), pytest.raises(SystemExit) as ended:
        call_command("verify_audit_chain")

    said = capsys.readouterr()
    assert (ended.value.code, said.err.count("cannot be verified")) == (1, 1)
    assert f"{platform['database'][0].tenant.slug} (tenant): intact" in said.out


@pytest.mark.parametrize("name", ["verify_audit_chain", "export_audit_log"])
def test_command__for_an_unknown_organization__ends_with_one_line(platform, database, name):
    with pytest.raises(CommandError, match="^There is no organization 'nobody'.$") as refused:
        call_command(name, "--tenant", "nobody")

    assert refused.value.returncode == 1


@pytest.mark.parametrize("name", ["verify_audit_chain", "export_audit_log"])
def test_command__for_an_organization_that_is_not_ready__ends_with_one_line(acme, name):
    with control("deactivate"):
        Tenant.objects.filter(id=acme.tenant.id).update(status="deactivated")

    with pytest.raises(CommandError, match="deactivated"):
        call_command(name, "--tenant", acme.tenant.slug)


def test_export_command__writes_both_planes(home, capsys):
    Log(home, "tenant").record(2)
    Log(home, "control").record(1)

    call_command("export_audit_log", "--tenant", home.tenant.slug, "--format", "jsonl")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    call_command("export_audit_log", "--tenant", home.tenant.slug)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))

    assert [line["plane"] for line in lines] == ["control", "tenant", "tenant"]
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert rows[0]["actor_ip"] == "192.0.2.7"
