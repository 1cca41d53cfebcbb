"""Sealing: every event in one chain, in order, anchored."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import structlog
from django.db import OperationalError, connections

from apps.audit import chain as chains
from apps.audit import services as audit
from apps.audit.actors import SYSTEM
from apps.audit.chain import Chain, control_chain, seal, seal_all, tenant_chain
from apps.audit.models import ControlEvent, Event
from apps.audit.verification import verify
from apps.core.memory import MemoryAway
from apps.operations.tasks import seal_audit_logs
from apps.operations.unsealed import Sweep, tenants_in
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.transactions import atomic
from tests.support import servers
from tests.support.factories import Organization

from .logs import Log, in_thread, open_transaction


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


def test_sweep__with_more_about_the_platform_than_time__reaches_the_others_and_goes_on_next_time(
    platform, database, monkeypatch
):
    """Each log of the control plane takes ten seconds here, and half of the sweep's fifteen are for them."""
    inside = Log(platform["schema"][0], "tenant")
    for organization in platform["schema"]:
        Log(organization, "control").record()
    inside.record()
    connections.close_all()
    now, asked = [0.0], []

    def slowly(chain: Chain) -> bool:
        if chain.kind == chain.kind.CONTROL:
            asked.append(chain.tenant_id)
            now[0] += 10
        return seal_all(chain)

    monkeypatch.setattr("apps.operations.sealing.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr("apps.operations.sealing.seal_all", slowly)

    monkeypatch.setattr("apps.operations.tasks.SWEEP_SECONDS", 15)

    eventually(lambda: seal_audit_logs() or inside.numbers() == [1])
    before = list(asked)
    seal_audit_logs()

    assert len(asked) == len(before) + 1
    assert asked[-1] not in before


def chain_unless(broken: Organization) -> Chain:
    chain = tenant_chain()
    if chain.tenant_id == broken.tenant.id:
        raise OperationalError("away")
    return chain


def test_sweep__after_quiet_ones__finds_what_is_new_and_asks_no_other(platform, database, monkeypatch):
    quiet, active = (Log(organization, "tenant") for organization in platform["schema"])
    neighbors = [Log(organization, "tenant") for organization in platform["pool"]]
    for each in (quiet, active, *neighbors):
        each.record()
    connections.close_all()  # PostgreSQL counts what a session has inserted once it ends, or has been idle for a while
    eventually(lambda: seal_audit_logs() or all(each.numbers() == [1] for each in (quiet, active, *neighbors)))
    eventually(lambda: seal_audit_logs() or not changed_with_tenants())
    asked: list[Any] = []
    monkeypatch.setattr(
        "apps.operations.sealing.seal_all", lambda chain: asked.append(chain.tenant_id) or seal_all(chain)
    )
    active.record()

    eventually(lambda: seal_audit_logs() or active.numbers() == [1, 2])

    in_schemas = {log.organization.tenant.id for log in (quiet, active, *neighbors)}
    assert set(asked) & in_schemas == {active.organization.tenant.id}


def changed_with_tenants() -> list[Any]:
    return tenants_in(Sweep(CONTROL_ALIAS).changed())


def test_sweep__that_left_what_could_not_be_sealed_yet__comes_back_for_it(acme, acme_log):
    eventually(lambda: seal_audit_logs() or not changed_with_tenants())
    with servers.as_owner() as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")  # a transaction that may still record something before
        acme_log.record()
        eventually(changed_with_tenants)
        seal_audit_logs()
        assert acme_log.numbers() == []
        assert changed_with_tenants()

    eventually(lambda: seal_audit_logs() or acme_log.numbers() == [1])


def test_sweep__while_memory_is_away__asks_every_log(acme_log, monkeypatch):
    eventually(lambda: seal_audit_logs() or not changed_with_tenants())

    def away(*_: Any) -> None:
        raise MemoryAway

    monkeypatch.setattr("apps.core.memory.ask", away)
    acme_log.record()

    eventually(lambda: seal_audit_logs() or acme_log.numbers() == [1])


def test_sweep__with_an_organization_that_fails__seals_the_others(platform, database, monkeypatch):
    broken, fine = platform["schema"][0], platform["database"][0]
    logs = [Log(broken, "schema"), Log(broken, "control"), Log(fine, "database"), Log(fine, "control")]
    for each in logs:
        each.record()
    monkeypatch.setattr("apps.operations.sealing.tenant_chain", partial(chain_unless, broken))
    with structlog.testing.capture_logs() as said:
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


def eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
