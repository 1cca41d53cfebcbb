"""The events of one message, while a worker handles them one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from django.db import connections

from ..context import OutboxContext, use

SECONDS = 5.0  # far below any time limit of tasks; what has not been begun by then is handed back
ERROR_LENGTH = 500

# The lock waits for the relay to commit what it has published; only then is looked at what the row says. One that was
# handed over again since is another message's.
BEGIN = """WITH found AS MATERIALIZED (SELECT event_id, deliveries, stage, waiting_for, available_at
        FROM platform.outbox WHERE event_id = ANY(%(events)s) FOR SHARE)
    SELECT event_id, deliveries, extract(epoch FROM available_at - clock_timestamp())::float FROM found
    WHERE stage = 'in hand' AND waiting_for @> ARRAY[%(task)s::text]"""
SETTLE = """DELETE FROM platform.outbox WHERE event_id = ANY(%(done)s::uuid[]) AND waiting_for <@ ARRAY[%(task)s::text];
    UPDATE platform.outbox SET waiting_for = array_remove(waiting_for, %(task)s)
        WHERE event_id = ANY(%(done)s::uuid[]);
    DELETE FROM platform.outbox WHERE event_id = ANY(%(done)s::uuid[]) AND waiting_for = '{}';
    UPDATE platform.outbox SET stage = 'alone', available_at = now(), last_error = failed.error
        FROM unnest(%(failed)s::uuid[], %(errors)s::text[]) AS failed (event_id, error)
        WHERE outbox.event_id = failed.event_id AND stage = 'in hand';
    UPDATE platform.outbox SET stage = 'waiting', available_at = now(), deliveries = deliveries - 1
        FROM unnest(%(left)s::uuid[], %(deliveries)s::int[]) AS unbegun (event_id, delivery)
        WHERE outbox.event_id = unbegun.event_id AND stage = 'in hand' AND deliveries = unbegun.delivery;
    SELECT pg_notify('outbox', '')"""


@dataclass(frozen=True)
class Handed:
    """An event as a message of many has it."""

    event_id: UUID
    tenant_id: UUID | None
    payload: dict[str, Any]
    request_id: str
    delivery: int

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Handed:
        tenant_id = fields["tenant_id"]
        return cls(
            event_id=UUID(fields["event_id"]),
            tenant_id=UUID(tenant_id) if tenant_id else None,
            payload=fields["payload"],
            request_id=fields["request_id"],
            delivery=fields["delivery"],
        )


@dataclass
class Batch:
    """Iterating yields the events that are still this message's to handle, for as long as it may take.

    Leaving settles all in one statement: what was handled is done, what failed goes alone from now on, and what was
    not begun is handed back. A worker that is killed settles nothing: all is handed over again after the lease.
    """

    events: list[Handed]
    task: str
    database: str
    done: list[UUID] = field(default_factory=list)
    failed: dict[UUID, str] = field(default_factory=dict)
    _ours: list[Handed] = field(default_factory=list)
    _deadline: float = 0.0

    def __enter__(self) -> Self:
        began = time.monotonic()
        parameters: dict[str, Any] = {"events": [event.event_id for event in self.events], "task": self.task}
        with use(OutboxContext(self.database)), connections[self.database].cursor() as cursor:
            cursor.execute(BEGIN, parameters)
            found = {event_id: (delivery, lease) for event_id, delivery, lease in cursor.fetchall()}
        self._ours = [event for event in self.events if found.get(event.event_id, (0, 0))[0] == event.delivery]
        leases = [found[event.event_id][1] for event in self._ours]
        self._deadline = began + min([SECONDS, *leases])
        return self

    def __iter__(self) -> Iterator[Handed]:
        for event in self._ours:
            if time.monotonic() >= self._deadline:
                return
            yield event

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = [event for event in self._ours if event.event_id not in {*self.done, *self.failed}]
        parameters: dict[str, Any] = {
            "task": self.task,
            "done": self.done,
            "failed": list(self.failed),
            "errors": [error[:ERROR_LENGTH] for error in self.failed.values()],
            "left": [event.event_id for event in left],
            "deliveries": [event.delivery for event in left],
        }
        if self._ours:
            with use(OutboxContext(self.database)), connections[self.database].cursor() as cursor:
                cursor.execute(SETTLE, parameters)
