"""Copies leave in the order of the chain, once each, whatever comes in between."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import structlog

from apps.audit import cursors, forwarding
from apps.audit.errors import NotSealedYet, SinkBusy, SinkUnavailable
from apps.tenancy.outbox.relay import OutboxEvent as OutboxEvent

from .logs import Log, in_thread, open_transaction
from .relaying import cursor_of, forward, free_port, http_server, lapse


@pytest.mark.parametrize("backwards", [False, True])
def test_copies__whichever_task_comes_first__arrive_in_the_order_of_the_chain(log, file_sink, relayed, backwards):
    log.record(3)
    log.record_together(3)

    assert relayed(log, backwards=backwards) == []

    assert file_sink.numbers() == [1, 2, 3, 4, 5, 6]
    assert file_sink.hashes() == log.hashes()
    assert file_sink.ids() == log.sealed_ids()


def test_copies__of_several_batches__arrive_each_once(acme_log, file_sink, relayed, monkeypatch):
    monkeypatch.setattr(forwarding, "BATCH", 2)

    for _ in range(2):
        acme_log.record(5)
        relayed(acme_log, backwards=True)

    assert file_sink.numbers() == list(range(1, 11))


def test_copies__of_two_logs__have_cursors_of_their_own(home, foreign, file_sink, relayed):
    logs = [Log(home, "tenant"), Log(home, "control"), Log(foreign, "tenant"), Log(foreign, "control")]

    for each in logs:
        each.record(2)
        relayed(each)

    assert file_sink.numbers() == [1, 2] * 4
    assert file_sink.hashes() == [digest for each in logs for digest in each.hashes()]


def test_copy__that_was_delivered__is_not_delivered_again(acme_log, file_sink, relayed):
    (event,) = acme_log.record()
    relayed(acme_log)

    forward(acme_log, event)

    assert file_sink.numbers() == [1]


def test_copy__behind_an_open_older_transaction__is_delivered_later_and_in_order(log, file_sink, relayed):
    with open_transaction(log) as older:
        (event,) = log.record()
        with pytest.raises(NotSealedYet):
            forward(log, event)
        assert file_sink.lines() == []
        older.execute("COMMIT")

    log.record()
    relayed(log, backwards=True)

    assert file_sink.hashes() == log.hashes()[-len(file_sink.lines()) :]
    assert file_sink.ids() == log.sealed_ids()[-len(file_sink.lines()) :]
    assert str(event.id) in file_sink.ids()


def test_copy__that_is_refused__does_not_block_the_next(acme_log, settings, relayed):
    with http_server(200, 400, 200) as server:
        settings.AUDIT_SINKS = [f"http://127.0.0.1:{server.port}/"]
        acme_log.record(3)
        failed = relayed(acme_log)

    assert failed == []
    assert [json.loads(request.body)["seal"]["number"] for request in server.requests] == [1, 2, 3]


def test_copy__of_an_event_that_is_gone__is_left_out_with_a_word_in_the_log(acme_log, file_sink, relayed):
    events = acme_log.record(3)
    acme_log.seal()
    acme_log.tamper("DELETE FROM {event} WHERE id = %(gone)s", gone=events[1].id)

    with structlog.testing.capture_logs() as said:
        relayed(acme_log)

    gone = [line for line in said if line["event"] == "audit_event_not_forwarded"]
    assert file_sink.numbers() == [1, 3]
    assert {(line["audit_event_id"], line["found"]) for line in gone} == {(str(events[1].id), False)}


def test_sink__that_is_new__starts_with_the_first_event_announced_to_it(log, settings, file_sink, relayed):
    (sink,), settings.AUDIT_SINKS = settings.AUDIT_SINKS, []
    log.record(3)
    log.seal()
    settings.AUDIT_SINKS = [sink]
    log.record(3)

    relayed(log, backwards=True)

    assert file_sink.numbers() == [4, 5, 6]


@pytest.mark.slow
def test_sink__that_is_new_beside_one_that_is_away__does_not_start_with_what_that_one_lacks(
    acme_log, settings, file_sink, relayed
):
    new, away = settings.AUDIT_SINKS[0], f"http://127.0.0.1:{free_port()}/"
    settings.AUDIT_SINKS = [away]
    acme_log.record(2)
    relayed(acme_log)
    settings.AUDIT_SINKS = [away, new]
    acme_log.record()

    relayed(acme_log)

    assert file_sink.numbers() == [3]


def test_sink__that_was_away_and_returns__gets_what_it_missed_in_order(acme_log, settings, relayed):
    with http_server(200, *[503] * 400) as server:
        settings.AUDIT_SINKS = [f"http://127.0.0.1:{server.port}/"]
        acme_log.record()
        relayed(acme_log)
        (missed,) = acme_log.record()
        assert [type(error) for error in relayed(acme_log)] == [SinkUnavailable]

    settings.AUDIT_SINKS = [f"http://127.0.0.1:{server.port}/"]
    with http_server(200, port=server.port) as server:
        (last,) = acme_log.record()
        relayed(acme_log)

    assert [request.headers["Idempotency-Key"] for request in server.requests] == [str(missed.id), str(last.id)]


def test_sink__that_another_worker_sends_to__is_left_to_it_until_its_claim_lapses(log, file_sink, relayed):
    log.record()
    relayed(log)
    (event,) = log.record()
    log.seal()
    cursor = cursor_of(log)

    with cursors.claimed(cursor):
        with pytest.raises(SinkBusy):
            forward(log, event)
        assert file_sink.numbers() == [1]
        lapse(cursor)
        forward(log, event)

    assert file_sink.numbers() == [1, 2]


def test_worker__whose_claim_lapsed_and_was_taken__stops_and_leaves_the_other_alone(acme_log, file_sink, relayed):
    acme_log.record()
    relayed(acme_log)
    cursor = cursor_of(acme_log)

    with cursors.claimed(cursor) as slow:
        lapse(cursor)
        with cursors.claimed(cursor) as other:
            with pytest.raises(SinkBusy):
                slow.move(7)
            slow.release()
            with pytest.raises(SinkBusy), cursors.claimed(cursor):
                pass
            other.move(2)

    cursor = cursor_of(acme_log)
    assert (cursor.number, cursor.claimed_by, cursor.claimed_until) == (2, None, None)


def test_claim__after_a_failed_delivery__is_released(acme_log, settings, relayed):
    settings.AUDIT_SINKS = [f"http://127.0.0.1:{free_port()}/"]
    (event,) = acme_log.record()
    acme_log.seal()

    with pytest.raises(SinkUnavailable):
        forward(acme_log, event)

    cursor = cursor_of(acme_log)
    assert (cursor.number, cursor.claimed_by) == (0, None)


def test_worker__with_more_to_send_than_one_task_may__leaves_the_rest_to_the_next(acme_log, file_sink, monkeypatch):
    monkeypatch.setattr(forwarding, "LONGEST_SECONDS", -1)
    events = acme_log.record(2)
    acme_log.seal()

    with pytest.raises(SinkBusy):
        forward(acme_log, events[1])
    forward(acme_log, events[1])

    assert file_sink.numbers() == [1, 2]


def test_workers__at_the_same_time__send_each_event_once_and_in_order(acme_log, file_sink, relayed):
    events = acme_log.record(20)
    acme_log.seal()

    def send(mine: list[Any]) -> None:
        for event in mine:
            with suppress(SinkBusy):
                forward(acme_log, event)

    workers = [in_thread(partial(send, events[number::3])) for number in range(3)]
    for worker in workers:
        worker.finish()
    relayed(acme_log)

    assert file_sink.numbers() == list(range(1, 21))


def test_sink__of_a_chain_that_was_cut_off__is_sent_what_is_written_instead(acme_log, file_sink, relayed):
    acme_log.record(5)
    relayed(acme_log)
    acme_log.tamper(
        "DELETE FROM {event} USING {seal} WHERE event_id = {event}.id AND number > 2",
        "DELETE FROM {seal} WHERE number > 2 AND tenant_id = %(tenant)s",
    )

    acme_log.record(1)
    with structlog.testing.capture_logs() as said:
        relayed(acme_log)

    assert file_sink.numbers() == [1, 2, 3, 4, 5, 3]
    assert file_sink.hashes()[-1] == acme_log.hashes()[-1]
    assert [line["sent"] for line in said if line["event"] == "audit_chain_cut_off"] == [5]
