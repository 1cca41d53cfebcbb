"""The audit log: only ever added to, sealed without gaps, and honest about what was done to it."""

from __future__ import annotations

import csv
import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from celery import current_app
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connections
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from psycopg import sql

from apps.audit import chain as chains
from apps.audit import services as audit
from apps.audit.actors import SYSTEM, Origin, acting_from
from apps.audit.chain import Chain, control_chain, seal, tenant_chain
from apps.audit.errors import NotInTransaction
from apps.audit.export import as_csv, as_json_lines, harmless
from apps.audit.forwarding import document
from apps.audit.models import ControlEvent, Event
from apps.audit.selectors import Entry, all_events, events_page
from apps.audit.sinks import parse_sinks
from apps.audit.verification import MAX_FINDINGS, Report, verify
from apps.tenancy.context import control, use
from apps.tenancy.planes import TENANT, plane_of
from apps.tenancy.relay import Event as OutboxEvent
from apps.tenancy.relay import Relay
from apps.tenancy.tasks import TENANT_HEADER
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Tenant
from apps.tenants.tasks import seal_audit_logs
from tests import servers
from tests.factories import Organization
from tests.test_commands import run

MODELS = list(apps.get_app_config("audit").get_models())
REFUSED = ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}", "SELECT * FROM {} FOR UPDATE"]
CONTROL_TABLES = sql.SQL("audit_controlevent, audit_controlseal, audit_anchor")


@dataclass
class Log:
    """One log under test: an organization's own, or the control plane's about it."""

    organization: Organization
    kind: str

    @property
    def chain(self) -> Chain:
        if self.kind == "control":
            return control_chain(self.organization.tenant.id)
        with self.organization.inside():
            return tenant_chain()

    def inside(self) -> AbstractContextManager[Any]:
        return control("test") if self.kind == "control" else self.organization.inside()

    def record(self, count: int = 1, **metadata: Any) -> list[Any]:
        """Events in transactions of their own."""
        made = []
        for _ in range(count):
            with self.inside(), atomic():
                made.append(self._record(**metadata))
        return made

    def record_together(self, count: int) -> None:
        with self.inside(), atomic():
            for _ in range(count):
                self._record()

    def _record(self, **metadata: Any) -> Any:
        tenant = self.organization.tenant
        changes = {"price": [1.5, 2]}
        place = Origin(ip="192.0.2.7", user_agent="test")
        with acting_from(place):
            return audit.record(
                "thing.done", actor=SYSTEM, resource=tenant, tenant_id=tenant.id, changes=changes, **metadata
            )

    def seal(self) -> int:
        """Seal everything; the server's own transactions may hold the horizon back for a moment."""
        total, deadline = 0, time.monotonic() + 10
        with self.inside():
            while True:
                total += seal(self.chain)
                if not self.chain.unsealed().exists():
                    return total
                assert time.monotonic() < deadline, "events stay unsealed"
                time.sleep(0.02)

    def verify(self) -> Report:
        with self.inside():
            return verify(self.chain)

    def kinds(self) -> set[str]:
        return {finding.kind.value for finding in self.verify().findings}

    def numbers(self) -> list[int]:
        with self.inside():
            return list(self.chain.seals().order_by("number").values_list("number", flat=True))

    def tamper(self, *statements: str, **values: Any) -> None:
        """Write past all walls: in the tenant plane as the operator, in the control plane as the owner."""
        tenant_id = self.organization.tenant.id
        values["tenant"] = tenant_id
        if self.kind == "control":
            names = {"event": "public.audit_controlevent", "seal": "public.audit_controlseal"}
            with servers.as_owner() as connection:
                connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(tenant_id)])
                for statement in statements:
                    connection.execute(statement.format(**names), values)
            return
        schema = self.organization.context.schema
        names = {"event": f'"{schema}".audit_event', "seal": f'"{schema}".audit_seal'}
        with servers.as_operator(self.organization.database) as connection:
            for statement in statements:
                connection.execute(statement.format(**names), values)


@pytest.fixture(autouse=True)
def no_older_control_rows(platform, database) -> None:
    """The control plane's log outlives the organizations of other tests."""
    with servers.as_owner() as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(CONTROL_TABLES))


@pytest.fixture(params=["pool", "schema", "database", "control"])
def log(platform, request) -> Log:
    return Log(platform.get(request.param, platform["schema"])[0], request.param)


@pytest.fixture
def acme_log(acme) -> Log:
    return Log(acme, "schema")


# -- Only ever added to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows__changed_by_a_tenant__are_denied(home, model, statement):
    alias = home.context.alias if plane_of(model) == TENANT else "default"

    with home.inside(), connections[alias].cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
        cursor.execute(statement.format(model._meta.db_table))


@pytest.mark.parametrize("statement", REFUSED)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
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


# -- Sealed -------------------------------------------------------------------------------------------------------


def test_sealing__of_what_was_recorded__makes_an_anchored_chain(log):
    log.record(3)
    log.record_together(3)

    assert log.seal() == 6

    report = log.verify()
    assert log.numbers() == [1, 2, 3, 4, 5, 6]
    assert (report.findings, report.events, report.sealed, report.unsealed) == ([], 6, 6, 0)
    assert (report.anchored_number, report.number) == (6, 6)
    assert len(bytes.fromhex(report.hash)) == 32


def test_sealing__again__adds_nothing(log):
    log.record(2)
    log.seal()

    with log.inside():
        assert seal(log.chain) == 0

    assert log.numbers() == [1, 2]


def test_sealing__in_small_batches__splits_a_transaction_and_still_fits(log, monkeypatch):
    monkeypatch.setattr(chains, "BATCH", 3)
    log.record_together(8)

    log.seal()

    assert log.numbers() == list(range(1, 9))
    assert log.verify().intact


def test_sealing__that_was_killed_before_anchoring__is_anchored_by_the_next(log):
    log.record(2)
    log.seal()
    with servers.as_owner() as connection:
        connection.execute("TRUNCATE audit_anchor")
    assert log.verify().anchored_number == 0

    with log.inside():
        seal(log.chain)

    assert (log.verify().anchored_number, log.kinds()) == (2, set())


def test_sealing__says_in_the_log_how_far_the_chain_has_come(acme_log):
    acme_log.record()

    with structlog.testing.capture_logs() as said:
        acme_log.seal()

    report = acme_log.verify()
    (line,) = [line for line in said if line["event"] == "audit_sealed"]
    assert (line["tenant_id"], line["number"]) == (str(acme_log.organization.tenant.id), 1)
    assert line["hash"] == report.hash


def test_late_commit__of_an_older_transaction__is_sealed_later_and_in_order(log):
    with open_transaction(log) as older:
        log.record(2)
        with log.inside():
            assert seal(log.chain) == 0  # the older transaction may still write
        older.execute("COMMIT")

    log.record()
    log.seal()

    assert log.numbers() == [1, 2, 3, 4]
    assert (log.kinds(), log.verify().unsealed) == (set(), 0)


def test_sealers__at_the_same_time__make_one_chain(log, monkeypatch):
    monkeypatch.setattr(chains, "BATCH", 4)
    done = threading.Event()

    def keep_sealing() -> None:
        with log.inside():
            while not done.is_set():
                seal(log.chain)

    sealers = [in_thread(keep_sealing) for _ in range(3)]
    writers = [in_thread(lambda: log.record(12)) for _ in range(2)]
    for writer in writers:
        writer.finish()
    done.set()
    for sealer in sealers:
        sealer.finish()
    log.seal()

    assert log.numbers() == list(range(1, 25))
    assert log.verify().intact


def test_logs__of_other_tenants_and_planes__have_chains_of_their_own(home, foreign):
    logs = [Log(home, "tenant"), Log(home, "control"), Log(foreign, "tenant"), Log(foreign, "control")]
    for each in logs:
        each.record(2)
    for each in logs:
        each.seal()

    assert [each.numbers() for each in logs] == [[1, 2]] * 4
    assert len({each.verify().hash for each in logs}) == 4
    assert all(each.verify().intact for each in logs)


def test_log__about_nobody__is_sealed_too(platform, database):
    resource = platform["schema"][0].tenant
    with control("test"), atomic():
        audit.record("platform.changed", actor=SYSTEM, resource=resource)
    with control("test"):
        eventually(lambda: seal(control_chain(None)) == 1)
        report = verify(control_chain(None))

    assert (report.findings, report.sealed, report.anchored_number) == ([], 1, 1)


def test_chain__on_another_server__goes_on_from_where_it_was_sealed(acme_log):
    acme_log.record(2)
    acme_log.tamper("UPDATE {event} SET transaction_id = transaction_id + 1000000000000 WHERE tenant_id = %(tenant)s")
    with acme_log.inside():
        assert seal(acme_log.chain) == 0
        assert seal(acme_log.chain, fenced=True) == 2
        chains.continue_here(acme_log.chain)
    acme_log.record(2)
    acme_log.seal()

    assert acme_log.numbers() == [1, 2, 3, 4, 5]
    assert acme_log.verify().intact


def test_sweep__with_an_organization_that_fails__seals_the_others(platform, database):
    broken, fine = platform["schema"][0], platform["database"][0]
    logs = [Log(broken, "schema"), Log(broken, "control"), Log(fine, "database"), Log(fine, "control")]
    for each in logs:
        each.record()
    with moved_away(broken), structlog.testing.capture_logs() as said:
        eventually(lambda: seal_audit_logs() or all(each.numbers() == [1] for each in logs[1:]))

    failed = [line for line in said if line["event"] == "audit_sealing_failed"]
    assert {line["tenant_id"] for line in failed} == {str(broken.tenant.id)}
    assert logs[0].numbers() == []


def test_document__that_is_sealed__holds_every_field():
    stored = {*chains.STORED, *chains.AS_TEXT}

    for model in (Event, ControlEvent):
        assert stored == {field.column for field in model._meta.concrete_fields}


def test_document__of_the_same_event__is_the_same_text_each_time(log):
    odd = {"ü": "\u2028 é", "b": [1, {"z": None, "a": True}], "a": 0.1, "n": 12345678901234567890, "e": 1e22}
    log.record(odd=odd)
    with log.inside():
        one, two = (chains.canonical(chains.documents(log.chain.events())[0]) for _ in range(2))

    assert one == two
    assert one.isascii()
    parsed = json.loads(one)
    assert list(parsed) == sorted(parsed)
    assert (parsed["metadata"]["odd"], parsed["occurred_at"][-6:]) == (odd, "+00:00")


# -- Verified -----------------------------------------------------------------------------------------------------

THIRD = "(SELECT event_id FROM {seal} WHERE number = 3 AND tenant_id = %(tenant)s)"
SWAP = [
    f"UPDATE {{seal}} SET number = {to} WHERE number = {of} AND tenant_id = %(tenant)s"
    for of, to in ((3, -1), (4, 3), (-1, 4))
]
INSERT = """INSERT INTO {event} (id, tenant_id, transaction_id, occurred_at, actor_type, actor_id, action,
    resource_type, resource_id, changes, metadata) VALUES (%(new)s, %(tenant)s, TXID, now(), 'user', '', 'forged',
    'thing', '', '{{}}', '{{}}')"""
LATER = "DELETE FROM {event} WHERE tenant_id = %(tenant)s AND id IN (SELECT event_id FROM {seal} WHERE number > 3)"
CUT = "DELETE FROM {seal} WHERE tenant_id = %(tenant)s AND number > 3"
FORGED_SEAL = """INSERT INTO {seal} (id, tenant_id, event_id, transaction_id, number, hash, sealed_at)
    VALUES (gen_random_uuid(), %(tenant)s, %(new)s, 1, NUMBER, 'x', now())"""

TAMPERINGS: dict[str, tuple[list[str], set[str]]] = {
    "removed": (["DELETE FROM {event} WHERE id = " + THIRD], {"removed"}),
    "changed": (["UPDATE {event} SET action = 'other' WHERE id = " + THIRD], {"changed"}),
    "swapped seals": (SWAP, {"reordered"}),
    "swapped events": (
        [
            "UPDATE {seal} s SET event_id = gen_random_uuid() WHERE number = 4 AND tenant_id = %(tenant)s",
            "UPDATE {seal} SET event_id = %(fourth)s WHERE number = 3 AND tenant_id = %(tenant)s",
            "UPDATE {seal} SET event_id = %(third)s WHERE number = 4 AND tenant_id = %(tenant)s",
        ],
        {"reordered"},
    ),
    "truncated": ([LATER, CUT], {"truncated"}),
    "truncated to nothing": (
        ["DELETE FROM {event} WHERE tenant_id = %(tenant)s", "DELETE FROM {seal} WHERE tenant_id = %(tenant)s"],
        {"truncated"},
    ),
    "inserted": ([INSERT.replace("TXID", "1")], {"inserted"}),
    "inserted into the future": ([INSERT.replace("TXID", "1000000000000")], {"inserted"}),
    "inserted before the first seal": (
        [INSERT.replace("TXID", "1"), FORGED_SEAL.replace("NUMBER", "0")],
        {"gap", "reordered"},
    ),
    "inserted after the last seal": (
        [INSERT.replace("TXID", "1"), FORGED_SEAL.replace("NUMBER", "7")],
        {"changed"},
    ),
    "a seal taken out": (["DELETE FROM {seal} WHERE number = 3 AND tenant_id = %(tenant)s"], {"gap", "inserted"}),
    "a hash changed": (["UPDATE {seal} SET hash = 'x' WHERE number = 3 AND tenant_id = %(tenant)s"], {"changed"}),
    "the last hash changed": (
        ["UPDATE {seal} SET hash = 'x' WHERE number = 6 AND tenant_id = %(tenant)s"],
        {"changed", "rewritten"},
    ),
    "a seal's transaction changed": (
        ["UPDATE {seal} SET transaction_id = 1 WHERE number = 3 AND tenant_id = %(tenant)s"],
        {"changed"},
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_verification__of_a_tampered_log__names_what_was_done(log, tampering):
    statements, expected = TAMPERINGS[tampering]
    events = log.record(6)
    log.seal()
    assert log.verify().intact

    log.tamper(*statements, new=uuid4(), third=events[2].id, fourth=events[3].id)

    assert log.kinds() == expected


def test_verification__of_one_changed_event__points_at_it_alone(log):
    events = log.record(6)
    log.seal()

    log.tamper("UPDATE {event} SET actor_id = 'somebody else' WHERE id = " + THIRD)

    (finding,) = log.verify().findings
    assert (finding.kind.value, finding.number, finding.event_id) == ("changed", 3, events[2].id)


MUTATIONS = {
    "id": "gen_random_uuid()",
    "tenant_id": "%(other)s",
    "occurred_at": "occurred_at + interval '1 microsecond'",
    "transaction_id": "transaction_id + 1",
    "actor_type": "actor_type || 'x'",
    "actor_id": "' '",
    "actor_ip": "'192.0.2.7/24'",
    "action": "upper(action)",
    "resource_type": "''",
    "resource_id": "upper(resource_id)",
    "changes": """'{{"price": [1.50, 2]}}'""",
    "metadata": """metadata || '{{"user_agent": "test "}}'""",
}


@pytest.mark.parametrize("column", [column.column for column in Event._meta.concrete_fields])
def test_verification__of_any_changed_column__finds_it(acme_log, foreign_in_schema, column):
    acme_log.record(2)
    acme_log.seal()

    statement = "UPDATE {event} SET " + f"{column} = {MUTATIONS[column]}" + " WHERE tenant_id = %(tenant)s"
    acme_log.tamper(statement, other=foreign_in_schema.tenant.id)

    findings = [finding for finding in acme_log.verify().findings if finding.number]
    gone = column in ("id", "tenant_id")
    assert [(finding.kind.value, finding.number) for finding in findings] == [
        ("removed" if gone else "changed", number) for number in (1, 2)
    ]


def test_verification__of_a_chain_that_was_cut_and_went_on__finds_another_hash(log):
    log.record(6)
    log.seal()
    log.tamper(LATER, CUT)
    log.record(5)
    log.seal()

    assert log.kinds() == {"rewritten"}


def test_verification__of_a_chain_that_was_made_anew__finds_another_hash(log):
    log.record(6)
    log.seal()

    log.tamper(
        "UPDATE {event} SET action = 'other' WHERE id = " + THIRD,
        "DELETE FROM {seal} WHERE tenant_id = %(tenant)s",
    )
    log.seal()

    (finding,) = log.verify().findings
    assert (finding.kind.value, finding.number) == ("rewritten", 6)


def test_verification__of_a_chain_whose_seals_alone_were_cut__is_mended_by_sealing(log):
    log.record(6)
    log.seal()
    log.tamper(CUT)
    assert "truncated" in log.kinds()

    log.seal()

    assert log.verify().intact


def test_verification__of_a_long_log__takes_it_in_batches_and_stops_at_many_findings(acme_log):
    acme_log.record_together(1203)
    acme_log.seal()
    assert (acme_log.verify().intact, acme_log.verify().sealed) == (True, 1203)

    acme_log.tamper("UPDATE {event} SET action = 'other' WHERE tenant_id = %(tenant)s")

    findings = acme_log.verify().findings
    assert len(findings) == MAX_FINDINGS + 1
    assert findings[-1].kind.value == "stopped"


def test_verification__while_sealing_goes_on__finds_nothing(log, monkeypatch):
    monkeypatch.setattr(chains, "BATCH", 3)
    done = threading.Event()

    def keep_working() -> None:
        while not done.is_set():
            log.record_together(2)
            with log.inside():
                seal(log.chain)

    worker = in_thread(keep_working)
    reports = [log.verify() for _ in range(15)]
    done.set()
    worker.finish()

    assert [report.findings for report in reports] == [[]] * 15


steps = st.lists(st.sampled_from(["record", "together", "roll back", "seal", "open", "close"]), max_size=14)


@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(program=steps)
def test_any_order_of_acts_and_seals__verifies_and_leaves_nothing_out(platform, database, program):
    log = Log(platform["pool"][0], "pool")
    log.seal()
    before = log.verify().sealed
    with ExitStack() as late_ones:
        added = 0
        for step in program:
            added += perform_step(step, log, late_ones)
            assert log.verify().intact
    log.seal()

    report = log.verify()
    assert (report.findings, report.sealed, report.unsealed) == ([], before + added, 0)


def perform_step(step: str, log: Log, late_ones: ExitStack) -> int:
    """How many events are there, sooner or later, because of it."""
    if step == "record":
        log.record()
    elif step == "together":
        log.record_together(3)
    elif step == "open":
        late_ones.enter_context(open_transaction(log))
    elif step == "close":
        late_ones.close()
    elif step == "seal":
        with log.inside():
            seal(log.chain)
    else:
        with pytest.raises(ZeroDivisionError), log.inside(), atomic():
            log._record()
            raise ZeroDivisionError
    return {"record": 1, "together": 3, "open": 1}.get(step, 0)


# -- The commands -------------------------------------------------------------------------------------------------


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
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    assert [line["plane"] for line in lines] == ["control", "tenant", "tenant"]
    assert [row["id"] for row in rows] == [line["id"] for line in lines]
    assert rows[0]["actor_ip"] == "192.0.2.7"


# -- Read ---------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_pages__of_both_planes__are_the_sorted_union(home, foreign):
    made = scatter(home, 40)
    scatter(foreign, 5)

    for limit in (1, 3, 7, 100):
        assert positions(walk(home, limit)) == sorted(made, reverse=True)
        assert positions(walk_upward(home, limit)) == sorted(made)


def test_pages__across_a_page_boundary_of_the_export__hold_everything_once(home, monkeypatch):
    made = scatter(home, 25)
    monkeypatch.setattr("apps.audit.selectors.PAGE", 4)

    with home.inside():
        assert positions(all_events(tenant_id=home.tenant.id)) == sorted(made, reverse=True)


def test_page__with_filters__holds_what_fits(home):
    scatter(home, 12)
    log = Log(home, "tenant")
    (mine,) = log.record()
    fitting: list[dict[str, Any]] = [
        {"action": "thing."},
        {"action": "thing.done", "resource_type": "tenant", "resource_id": str(home.tenant.id)},
        {"since": NOON + timedelta(hours=1)},
    ]

    with home.inside():
        for filters in fitting:
            assert [entry.id for entry in events_page(tenant_id=home.tenant.id, limit=50, **filters)] == [mine.id]
        assert not events_page(tenant_id=home.tenant.id, limit=50, action="thing_")
        assert not events_page(tenant_id=home.tenant.id, limit=50, actor_id="nobody")
        assert len(events_page(tenant_id=home.tenant.id, limit=50, until=NOON + timedelta(hours=1))) == 12


def test_page__asked_for_a_foreign_tenant__is_empty(home, foreign):
    scatter(foreign, 4)

    with home.inside():
        assert events_page(tenant_id=foreign.tenant.id, limit=50) == []


# -- Exported -----------------------------------------------------------------------------------------------------

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "＝1",
    "a\n=1",
    "a\r\n @x",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_cell__that_would_be_a_formula__is_made_harmless(cell):
    made = harmless(cell)

    assert made != cell
    assert made.replace("'", "") == cell
    assert not any(line.strip().startswith(tuple("=+-@＝＋－＠")) for line in made.splitlines())


@pytest.mark.parametrize("cell", ["", "a=b", "thing.done", "it's", "a\nb", '{"a": "=1"}', "a -b"])
def test_cell__that_is_none__stays_as_it_is(cell):
    assert harmless(cell) == cell


text = st.text(alphabet=st.one_of(st.sampled_from("=+-@\t\r\n\"',; ab"), st.characters(codec="utf-8")), max_size=12)


@examples(max_examples=100, deadline=None)
@given(cells=st.lists(st.tuples(text, text), max_size=5))
def test_csv__of_any_text__reads_back_as_the_same_cells(cells):
    entries = [entry(action=action, actor_id=actor) for action, actor in cells]

    written = b"".join(as_csv(entries)).decode()
    read = list(csv.DictReader(io.StringIO(written, newline="")))

    assert [(row["action"], row["actor_id"]) for row in read] == [(harmless(a), harmless(b)) for a, b in cells]
    assert not any(row["action"][:1] in ("=", "+", "-", "@", "\t", "\r", "\n") for row in read if row["action"])


def test_export__of_many_entries__comes_in_pieces():
    entries = [entry(action=f"a{number}", changes={"name": ["=x", "ü"]}) for number in range(500)]

    pieces = list(as_csv(iter(entries)))
    lines = [json.loads(line) for line in as_json_lines(iter(entries))]

    assert len(pieces) == 3
    assert b"".join(pieces).count(b"\r\n") == 501
    assert lines[0]["changes"] == {"name": ["=x", "ü"]}
    assert lines[0]["occurred_at"] == "2026-01-01T12:00:00.000000+00:00"


# -- Forwarded ----------------------------------------------------------------------------------------------------


def test_file_sink__appends_a_line_per_event(log, settings, tmp_path, relayed):
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]

    events = log.record(2)
    relayed(log)

    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(str(event.id) for event in events)
    assert lines[0] == {
        "id": lines[0]["id"],
        "occurred_at": lines[0]["occurred_at"],
        "tenant_id": str(log.organization.tenant.id),
        "plane": "control" if log.kind == "control" else "tenant",
        "actor": {"type": "system", "id": "", "ip": "192.0.2.7"},
        "action": "thing.done",
        "resource": {"type": "tenant", "id": str(log.organization.tenant.id)},
        "changes": {"price": [1.5, 2]},
        "metadata": {"user_agent": "test"},
    }


def test_syslog_sink__over_udp__sends_rfc_5424(acme_log, settings, relayed):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        settings.AUDIT_SINKS = [f"syslog://127.0.0.1:{server.getsockname()[1]}"]
        (event,) = acme_log.record()
        relayed(acme_log)
        received = server.recv(65535)

    assert_syslog(received, event)


def test_syslog_sink__over_tcp__counts_octets(acme_log, settings, relayed):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        settings.AUDIT_SINKS = [f"syslog+tcp://127.0.0.1:{server.getsockname()[1]}"]
        (event,) = acme_log.record()
        relayed(acme_log)
        with server.accept()[0] as connection, connection.makefile("rb") as stream:
            received = stream.read()

    length, _, message = received.partition(b" ")
    assert int(length) == len(message)
    assert_syslog(message, event)


def test_http_sink__posts_json_with_the_events_id(log, settings, relayed):
    with http_server() as server:
        settings.AUDIT_SINKS = [f"http://siem:s%40cret@127.0.0.1:{server.port}/in?token=t"]
        (event,) = log.record()
        relayed(log)

    (request,) = server.requests
    assert (request.path, json.loads(request.body)) == ("/in?token=t", document(event))
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == str(event.id)
    assert request.headers["Authorization"] == "Basic c2llbTpzQGNyZXQ="  # siem:s@cret


def test_http_sink__that_fails__is_tried_again_with_the_same_id(log, settings, relayed):
    with http_server(503, 429, 200) as server:
        settings.AUDIT_SINKS = [f"http://127.0.0.1:{server.port}/"]
        (event,) = log.record()
        relayed(log)

    assert [request.headers["Idempotency-Key"] for request in server.requests] == [str(event.id)] * 3


def test_http_sink__that_refuses_an_event__is_not_asked_again_and_that_is_logged(acme_log, settings, relayed):
    with http_server(400, 200) as server, structlog.testing.capture_logs() as said:
        settings.AUDIT_SINKS = [f"http://user:hidden@127.0.0.1:{server.port}/"]
        (event,) = acme_log.record()
        relayed(acme_log)

    refused = [line for line in said if line["event"] == "audit_event_refused"]
    assert len(server.requests) == 1
    assert [line["audit_event_id"] for line in refused] == [str(event.id)]
    assert "hidden" not in str(said)


def test_sink__that_is_away__does_not_hold_up_the_others(acme_log, settings, tmp_path, relayed):
    settings.AUDIT_SINKS = [f"http://user:hidden@127.0.0.1:{free_port()}/", f"file://{tmp_path}/events.jsonl"]

    (event,) = acme_log.record()
    failed = relayed(acme_log)

    assert json.loads((tmp_path / "events.jsonl").read_text())["id"] == str(event.id)
    assert len(failed) == 1
    assert "hidden" not in str(failed)


def test_sink__that_was_taken_out__leaves_its_events_with_a_word_in_the_log(acme_log, settings, tmp_path, relayed):
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]
    acme_log.record()
    settings.AUDIT_SINKS = []

    with structlog.testing.capture_logs() as said:
        relayed(acme_log)

    assert "audit_event_not_forwarded" in {line["event"] for line in said}


def test_forwarding__of_a_rolled_back_act__sends_nothing(log, settings, tmp_path, relayed):
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]

    with log.inside(), pytest.raises(ZeroDivisionError), atomic():
        log._record()
        raise ZeroDivisionError
    relayed(log)

    assert not (tmp_path / "events.jsonl").exists()


def test_payload__in_the_outbox__holds_no_secret(acme_log, settings, relayed):
    settings.AUDIT_SINKS = ["https://user:hidden@siem.example/in?token=hidden"]

    acme_log.record()
    payloads = relayed(acme_log, publish=False)

    assert len(payloads) == 1
    assert "hidden" not in str(payloads)
    assert "hidden" not in repr(parse_sinks(settings.AUDIT_SINKS))


def test_sink_name__with_other_credentials__stays():
    names = {parse_sinks([f"https://{who}siem.example/in?token={who}"])[0].name for who in ("", "a:b@", "c:d@")}

    assert len(names) == 1


WRONG_SINKS = [
    "ftp://user:hidden@siem.example/",
    "hidden",
    "file://hidden.jsonl",
    "file:///",
    "syslog://:514",
    "syslog://hidden:99999",
    "syslog://siem.example/hidden",
    "https://user:hidden@/",
    "https://siem.example/hid den",
    "https://[hidden/",
]


@pytest.mark.parametrize("url", WRONG_SINKS)
def test_sinks__that_cannot_be_used__are_refused_without_a_secret(url):
    with pytest.raises(ValueError, match="^AUDIT_SINKS: entry 2") as refused:
        parse_sinks(["syslog://siem.example", url])

    assert "hidden" not in str(refused.value)


def test_sinks__that_lead_to_the_same_place__are_refused():
    with pytest.raises(ValueError, match="same place"):
        parse_sinks(["https://siem.example/?a", "https://user:password@siem.example/?b"])


def test_start__with_a_sink_that_cannot_be_used__ends_with_the_reason(platform, database):
    done = run("check", AUDIT_SINKS="ftp://user:hidden@siem.example")

    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ValueError: AUDIT_SINKS: entry 1 must be one of")
    assert "hidden" not in done.stderr


# -- What the tests stand on --------------------------------------------------------------------------------------


@pytest.fixture
def foreign_in_schema(platform, database) -> Organization:
    return platform["schema"][1]


@pytest.fixture
def relayed(platform, database) -> Callable[..., list[Any]]:
    """Hands over what is in a log's outbox and runs the tasks, as relay and worker do: the errors they ended with."""
    current_app.loader.import_default_modules()
    for organization in [pair[0] for pair in platform.values()]:
        with psycopg.connect(outbox_url(organization), autocommit=True) as connection, connection.transaction():
            connection.execute("SET LOCAL ROLE app_relay")
            connection.execute("DELETE FROM platform.outbox")

    def relay(log: Log, *, publish: bool = True) -> list[Any]:
        sent: list[tuple[str, OutboxEvent]] = []
        url = django_settings.DATABASE_URL if log.kind == "control" else outbox_url(log.organization)
        with psycopg.connect(url, autocommit=True) as connection:
            while Relay("test", lambda task, event: sent.append((task, event)), lease_seconds=60).deliver(connection):
                pass
        return [perform(task, event) for task, event in sent] if publish else [event.payload for _, event in sent]

    return lambda *args, **options: [result for result in relay(*args, **options) if result is not None]


def perform(task: str, event: OutboxEvent) -> Any:
    kwargs = {"event_id": str(event.event_id), **event.payload}
    result = current_app.tasks[task].apply(kwargs=kwargs, headers={TENANT_HEADER: str(event.tenant_id)}, throw=False)
    return result.result


def outbox_url(organization: Organization) -> str:
    place = organization.tenant._placement()
    assert place is not None
    return place.database.url.reveal() if place.database else django_settings.DATABASE_URL


@contextmanager
def open_transaction(log: Log) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of another process that has recorded an event and goes on; it commits at the end."""
    context, tenant_id = log.organization.context, log.organization.tenant.id
    in_control = log.kind == "control"
    role, schema = ("app_control", "public") if in_control else ("app_tenant", context.schema)
    table = "audit_controlevent" if in_control else "audit_event"
    url = django_settings.DATABASE_URL if in_control else outbox_url(log.organization)
    insert = f"""INSERT INTO {table} (id, tenant_id, actor_type, actor_id, action, resource_type, resource_id, changes,
        metadata) VALUES (%s, %s, 'system', '', 'late', 'thing', '', '{{}}', '{{}}')"""
    with servers.connect_url(url) as connection:
        connection.execute("BEGIN")
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        connection.execute("SELECT set_config('search_path', %s, true)", [f'"{schema}"'])
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", ["" if in_control else str(tenant_id)])
        connection.execute(insert, [uuid4(), tenant_id])
        yield connection
        connection.execute("COMMIT")


@contextmanager
def moved_away(organization: Organization) -> Iterator[None]:
    """The organization's rows are not where they should be."""
    with control("break a placement"):
        places = Placement.objects.filter(tenant=organization.tenant)
        schema = places.get().schema
        places.update(schema="t_gone")
    try:
        yield
    finally:
        with control("mend a placement"):
            places.update(schema=schema)


class in_thread:  # noqa: N801  reads as a verb
    """A thread whose error is the test's, with connections of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=[work])
        self.thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            with use(None):
                work()
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def finish(self) -> None:
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error:
            raise self.error


def eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def scatter(organization: Organization, count: int) -> list[tuple[datetime, UUID]]:
    """Events of both planes at a handful of moments, so that many share one."""
    moments = itertools.cycle([NOON, NOON + timedelta(microseconds=1), NOON, NOON - timedelta(seconds=1), NOON])
    made = []
    for number, moment in zip(range(count), moments, strict=False):
        values = {"id": uuid4(), "occurred_at": moment, "actor_type": "user", "action": "x.y", "resource_type": "x"}
        if number % 3:
            with organization.inside():
                Event.objects.create(**values)
        else:
            with control("record"):
                ControlEvent.objects.create(tenant=organization.tenant, **values)
        made.append((moment, values["id"]))
    return made


def positions(entries: Any) -> list[tuple[datetime, UUID]]:
    return [entry.position for entry in entries]


def walk(organization: Organization, limit: int) -> Iterator[Entry]:
    tenant_id, before = organization.tenant.id, None
    with organization.inside():
        while page := events_page(tenant_id=tenant_id, limit=limit, before=before):
            assert len(page) <= limit
            yield from page
            before = page[-1].position


def walk_upward(organization: Organization, limit: int) -> Iterator[Entry]:
    tenant_id, after = organization.tenant.id, (NOON - timedelta(days=1), uuid4())
    with organization.inside():
        while page := events_page(tenant_id=tenant_id, limit=limit, after=after):
            yield from reversed(page)
            after = page[0].position


def entry(**values: Any) -> Entry:
    plain: dict[str, Any] = dict.fromkeys(["actor_type", "actor_id", "resource_type", "resource_id", "action"], "")
    plain |= {"id": uuid4(), "occurred_at": NOON, "actor_ip": None, "changes": {}, "metadata": {}, "plane": "tenant"}
    return Entry(**{**plain, **values})


def assert_syslog(message: bytes, event: Any) -> None:
    priority_version, time_, _host, app, _process, message_id, data, body = message.decode().split(" ", 7)
    assert (priority_version, app, data) == ("<109>1", "tenantry", "-")
    assert datetime.fromisoformat(time_) == event.occurred_at
    assert UUID(message_id) == event.id
    assert json.loads(body) == document(event)


@dataclass
class Request:
    path: str
    headers: Any
    body: bytes


@dataclass
class Received:
    port: int
    requests: list[Request] = field(default_factory=list)


@contextmanager
def http_server(*statuses: int) -> Iterator[Received]:
    """A real server that answers with the statuses in turn, the last one for good."""
    answers = itertools.chain(statuses, itertools.repeat(statuses[-1] if statuses else 200))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append(Request(self.path, self.headers, body))
            self.send_response(next(answers))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    received = Received(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
