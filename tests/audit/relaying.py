"""What relay, workers and sinks do with the copies of events."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings as django_settings
from django.db.models.functions import Now

from apps.audit import cursors, forwarding
from apps.audit.errors import NotSealedYet
from apps.audit.forwarding import document
from apps.audit.models import SinkCursor
from apps.audit.sinks import parse_sinks
from apps.tenancy.context import control
from apps.tenancy.outbox.relay import OutboxEvent as OutboxEvent
from apps.tenancy.tasks import OUTBOX_HEADER, TENANT_HEADER

from .logs import Log


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
