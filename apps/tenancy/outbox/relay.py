"""Hands the outbox of one database to the task queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import class_row

from ..walls.roles import APP_RELAY
from . import subscribers_of

log = structlog.get_logger(__name__)

BATCH = 100
POLL_SECONDS = 1.0
MAX_DELAY_SECONDS = 300
MAX_ATTEMPTS = 100  # about eight hours; then an event is parked until somebody looks

MAX_DELIVERIES = 10  # about five days of tasks that never finish
MAX_LEASE_SECONDS = 24 * 3600

CLAIM = """SELECT id, event_id, tenant_id, topic, payload, request_id, waiting_for, %s AS database FROM platform.outbox
    WHERE available_at <= now() ORDER BY available_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
LEASE = """UPDATE platform.outbox SET waiting_for = %s, deliveries = deliveries + 1,
    available_at = CASE WHEN deliveries + 1 < %s
        THEN now() + least(%s * power(2, deliveries), %s) * interval '1 second' ELSE 'infinity' END WHERE id = %s"""
POSTPONE = """UPDATE platform.outbox SET attempts = attempts + 1, last_error = %s,
    available_at = CASE WHEN attempts < %s THEN now() + least(power(2, attempts), %s) * interval '1 second'
        ELSE 'infinity' END WHERE id = %s"""


@dataclass(frozen=True)
class OutboxEvent:
    id: int
    event_id: UUID
    tenant_id: UUID | None
    topic: str
    payload: dict[str, Any]
    request_id: str
    waiting_for: list[str] | None
    database: str

    @property
    def tasks(self) -> list[str]:
        """The tasks that have not finished it yet. Raises LookupError if nobody subscribes to its topic."""
        return subscribers_of(self.topic) if self.waiting_for is None else self.waiting_for


Publish = Callable[[str, OutboxEvent], None]


class Relay:
    """Reads the outbox of one database over a direct connection; any number of relays may run side by side.

    ``database`` is its alias. An event that is not finished within ``lease_seconds`` is handed over again.
    """

    def __init__(self, database: str, publish: Publish, *, lease_seconds: float) -> None:
        self.database = database
        self.publish = publish
        self.lease_seconds = lease_seconds

    def run(self, conninfo: str, stop: threading.Event) -> None:
        """Deliver until told to stop, reconnecting for as long as the database is away."""
        while not stop.is_set():
            try:
                with psycopg.connect(conninfo, autocommit=True) as connection:
                    connection.execute("LISTEN outbox")
                    while not stop.is_set():
                        if not self.deliver(connection):
                            wait_for_wake_up(connection)
            except psycopg.Error as error:
                log.warning("relay_reconnects", database=self.database, error=str(error).strip())
                stop.wait(POLL_SECONDS)

    def deliver(self, connection: psycopg.Connection[Any]) -> int:
        """Hand over one batch. Returns how many rows it held.

        A row stays, hidden for the time of its lease, until its tasks are done: what the broker or a killed worker
        loses is handed over again. A kill before the commit delivers it twice, never not at all.
        """
        with connection.transaction():
            connection.execute(f"SET LOCAL ROLE {APP_RELAY}")
            with connection.cursor(row_factory=class_row(OutboxEvent)) as cursor:
                events = cursor.execute(CLAIM, [self.database, BATCH]).fetchall()
                handed_over = [event for event in events if self._hand_over(connection, event)]
                lease = [MAX_DELIVERIES, self.lease_seconds, MAX_LEASE_SECONDS]
                cursor.executemany(LEASE, [[event.tasks, *lease, event.id] for event in handed_over])
        return len(events)

    def _hand_over(self, connection: psycopg.Connection[Any], event: OutboxEvent) -> bool:
        try:
            for task in event.tasks:
                self.publish(task, event)
        except Exception as error:  # noqa: BLE001  one event must not stop all others
            log.error("outbox_event_postponed", topic=event.topic, event_id=str(event.event_id), error=str(error))
            connection.execute(POSTPONE, [str(error)[:500], MAX_ATTEMPTS, MAX_DELAY_SECONDS, event.id])
            return False
        return True


def wait_for_wake_up(connection: psycopg.Connection[Any]) -> None:
    """Sleep until rows are announced or the polling interval is over; many announcements count as one."""
    deadline = time.monotonic() + POLL_SECONDS
    for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
        break
    while time.monotonic() < deadline and list(connection.notifies(timeout=0)):
        pass
