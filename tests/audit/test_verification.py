"""Verification: whatever is done to a sealed log is found."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from apps.audit import chain as chains
from apps.audit.chain import seal
from apps.audit.models import Event
from apps.audit.verification import MAX_FINDINGS
from apps.tenancy.transactions import atomic
from tests.support.factories import Organization

from .logs import THIRD, Log, in_thread, open_transaction

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


@pytest.mark.sampled(3)
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


@pytest.fixture
def foreign_in_schema(platform, database) -> Organization:
    return platform["schema"][1]
