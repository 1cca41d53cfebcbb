"""Copies of events for the sinks of an installation."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog
from celery import current_app
from django.conf import settings as django_settings
from django.db.models.functions import Now

from apps.audit import cursors, forwarding
from apps.audit.errors import NotSealedYet, SinkBusy, SinkUnavailable
from apps.audit.forwarding import document
from apps.audit.models import SinkCursor
from apps.audit.sinks import parse_sinks
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.outbox.relay import OutboxEvent as OutboxEvent
from apps.tenancy.outbox.relay import Relay
from apps.tenancy.tasks import OUTBOX_HEADER, TENANT_HEADER
from apps.tenancy.transactions import atomic
from tests.support.commands import run

from .logs import Log, in_thread, open_transaction, outbox_url


def test_file_sink__appends_a_line_per_event(log, settings, tmp_path, relayed):
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]

    events = log.record(2)
    relayed(log)

    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [str(event.id) for event in events]
    assert lines[0] == {
        "id": lines[0]["id"],
        "occurred_at": lines[0]["occurred_at"],
        "tenant_id": str(log.organization.tenant.id),
        "plane": "control" if log.kind == "control" else "tenant",
        "seal": {"number": 1, "hash": log.hashes()[0]},
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

    assert_syslog(received, acme_log, event)


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
    assert_syslog(message, acme_log, event)


def test_http_sink__posts_json_with_the_events_id(log, settings, relayed):
    with http_server() as server:
        settings.AUDIT_SINKS = [f"http://siem:s%40cret@127.0.0.1:{server.port}/in?token=t"]
        (event,) = log.record()
        relayed(log)

    (request,) = server.requests
    assert (request.path, json.loads(request.body)) == ("/in?token=t", sent(log, event))
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


def test_sinks__that_lead_to_the_same_sink__are_refused():
    with pytest.raises(ValueError, match="same sink"):
        parse_sinks(["https://siem.example/?a", "https://user:password@siem.example/?b"])


def test_start__with_a_sink_that_cannot_be_used__ends_with_the_reason(platform, database):
    done = run("check", AUDIT_SINKS="ftp://user:hidden@siem.example")

    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("ValueError: AUDIT_SINKS: entry 1 must be one of")
    assert "hidden" not in done.stderr


@dataclass(frozen=True)
class Copies:
    """What a file was sent."""

    path: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def ids(self) -> list[str]:
        return [line["id"] for line in self.lines()]

    def numbers(self) -> list[int]:
        return [line["seal"]["number"] for line in self.lines()]

    def hashes(self) -> list[str]:
        return [line["seal"]["hash"] for line in self.lines()]


@pytest.fixture
def file_sink(settings, tmp_path) -> Copies:
    """The only sink."""
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]
    return Copies(tmp_path / "events.jsonl")


def forward(log: Log, event: Any) -> None:
    (sink,) = parse_sinks(django_settings.AUDIT_SINKS)
    with log.inside():
        forwarding.forward(type(event), event.id, sink.name)


def cursor_of(log: Log) -> SinkCursor:
    (sink,) = parse_sinks(django_settings.AUDIT_SINKS)
    cursor = cursors.find(sink.name, log.chain)
    assert cursor
    return cursor


def lapse(cursor: SinkCursor) -> None:
    """Let the time of a claim pass."""
    with control("test"):
        SinkCursor.objects.filter(id=cursor.id).update(claimed_until=Now())


@pytest.fixture
def relayed(platform, database) -> Callable[..., list[Any]]:
    """Hands over what is in a log's outbox and runs the tasks, as relay and worker do: the errors they ended with."""
    current_app.loader.import_default_modules()
    for organization in [pair[0] for pair in platform.values()]:
        with psycopg.connect(outbox_url(organization), autocommit=True) as connection, connection.transaction():
            connection.execute("SET LOCAL ROLE app_relay")
            connection.execute("DELETE FROM platform.outbox")

    def relay(log: Log, *, publish: bool = True, backwards: bool = False) -> list[Any]:
        sent: list[tuple[str, OutboxEvent]] = []
        url = django_settings.DATABASE_URL if log.kind == "control" else outbox_url(log.organization)
        database = CONTROL_ALIAS if log.kind == "control" else log.organization.context.alias
        with psycopg.connect(url, autocommit=True) as connection:
            while Relay(database, lambda task, event: sent.append((task, event)), lease_seconds=60).deliver(connection):
                pass
        if not publish:
            return [event.payload for _, event in sent]
        return [perform(task, event) for task, event in (reversed(sent) if backwards else sent)]

    return lambda *args, **options: [result for result in relay(*args, **options) if result is not None]


def perform(task: str, event: OutboxEvent) -> Any:
    """The error that a task ended with. What others do on the server may hold up sealing for a moment."""
    deadline = time.monotonic() + 10
    while isinstance(result := attempt(task, event), NotSealedYet) and time.monotonic() < deadline:
        time.sleep(0.02)
    return result


def attempt(task: str, event: OutboxEvent) -> Any:
    kwargs = {"event_id": str(event.event_id), **event.payload}
    headers = {TENANT_HEADER: str(event.tenant_id), OUTBOX_HEADER: event.database}
    result = current_app.tasks[task].apply(kwargs=kwargs, headers=headers, throw=False)
    return result.result


def sent(log: Log, event: Any) -> dict[str, Any]:
    """What a sink must be sent of an event."""
    with log.inside():
        return document(event, log.chain.seals().get(event_id=event.id))


def assert_syslog(message: bytes, log: Log, event: Any) -> None:
    priority_version, time_, _host, app, _process, message_id, data, body = message.decode().split(" ", 7)
    assert (priority_version, app, data) == ("<109>1", "tenantry", "-")
    assert datetime.fromisoformat(time_) == event.occurred_at
    assert UUID(message_id) == event.id
    assert json.loads(body) == sent(log, event)


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
def http_server(*statuses: int, port: int = 0) -> Iterator[Received]:
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

    server = HTTPServer(("127.0.0.1", port), Handler)
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
