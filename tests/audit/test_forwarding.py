"""Copies of events for the sinks of an installation."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import structlog

from apps.audit.sinks import parse_sinks
from apps.tenancy.outbox.relay import OutboxEvent as OutboxEvent
from apps.tenancy.transactions import atomic
from tests.support.commands import run

from .logs import Log
from .relaying import free_port, http_server, sent


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
    assert done.stderr.startswith("error: AUDIT_SINKS: entry 1 must be one of")
    assert done.stderr.count("\n") == 1
    assert "hidden" not in done.stderr


def assert_syslog(message: bytes, log: Log, event: Any) -> None:
    priority_version, time_, _host, app, _process, message_id, data, body = message.decode().split(" ", 7)
    assert (priority_version, app, data) == ("<109>1", "tenantry", "-")
    assert datetime.fromisoformat(time_) == event.occurred_at
    assert UUID(message_id) == event.id
    assert json.loads(body) == sent(log, event)
