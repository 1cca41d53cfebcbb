"""Events that leave with the transaction that caused them.

``emit`` writes a row in the database of the current context; the relay hands it to the tasks that subscribed
to its topic, at least once, with the event's id. The row goes when all of them are done, so that nothing is lost
with a queue. A payload holds ids, never secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import structlog
from django.db import connections

from ..context import CONTROL_ALIAS, OutboxContext, TenantContext, current, use
from ..errors import NoTenantContext

INSERT = "INSERT INTO platform.outbox (event_id, tenant_id, topic, payload, request_id) VALUES (%s, %s, %s, %s, %s)"
FINISH = """UPDATE platform.outbox SET waiting_for = array_remove(waiting_for, %(task)s) WHERE event_id = %(event)s;
    DELETE FROM platform.outbox WHERE event_id = %(event)s AND waiting_for = '{}'"""
# An event waits for the relay, is in the hands of tasks, or is parked until somebody looks.
PENDING = """WITH events AS (SELECT *, CASE WHEN available_at = 'infinity' THEN 'parked'
    WHEN waiting_for IS NOT NULL AND available_at > now() THEN 'in hand' ELSE 'waiting' END AS state
    FROM platform.outbox)
    SELECT event_id, tenant_id, topic, state, attempts, deliveries, last_error, created_at FROM events
    WHERE %(state)s IN ('', state) ORDER BY created_at, id LIMIT %(limit)s"""
PAYLOADS = """SELECT payload FROM platform.outbox
    WHERE topic = %s AND tenant_id IS NOT DISTINCT FROM %s AND payload @> %s ORDER BY id"""
TENANTS = "SELECT DISTINCT tenant_id FROM platform.outbox WHERE topic = %s"
BACKLOG = """SELECT
    count(*) FILTER (WHERE available_at < 'infinity' AND (waiting_for IS NULL OR available_at <= now())),
    count(*) FILTER (WHERE available_at < 'infinity' AND waiting_for IS NOT NULL AND available_at > now()),
    count(*) FILTER (WHERE available_at = 'infinity'),
    coalesce(extract(epoch FROM now() - min(available_at) FILTER (WHERE available_at <= now())), 0)
    FROM platform.outbox"""
RETRY = "UPDATE platform.outbox SET available_at = now(), attempts = 0, deliveries = 0 WHERE event_id = %s"
STATES = ("waiting", "in hand", "parked")

TaskType = TypeVar("TaskType", bound=Any)
_subscribers: dict[str, list[str]] = {}


@dataclass(frozen=True)
class Pending:
    """An event that is not done yet."""

    event_id: UUID
    tenant_id: UUID | None
    topic: str
    state: str
    attempts: int
    deliveries: int
    last_error: str
    created_at: datetime


@dataclass(frozen=True)
class Backlog:
    """How many events of one database are in each state, and for how long the relay has left the next one waiting."""

    waiting: int
    in_hand: int
    parked: int
    lag_seconds: float


def subscribe(topic: str) -> Callable[[TaskType], TaskType]:
    """Declare a task that handles a topic. It is called with ``event_id`` and the payload's keys."""

    def register(task: TaskType) -> TaskType:
        _subscribers.setdefault(topic, []).append(task.name)
        return task

    return register


def subscribers_of(topic: str) -> list[str]:
    """The names of the tasks that handle a topic. Raises LookupError if there are none."""
    if topic not in _subscribers:
        raise LookupError(f"No task subscribes to {topic}.")
    return _subscribers[topic]


def emit(topic: str, payload: Mapping[str, Any], *, tenant_id: UUID | None = None) -> UUID:
    """Write an event in the current transaction. Returns its id.

    In a tenant context it is that tenant's event; in the control plane it is about ``tenant_id``, or nobody.
    """
    context = current()
    if context is None:
        raise NoTenantContext("An event is emitted in a tenant's context or in the control plane.")
    alias = CONTROL_ALIAS
    if isinstance(context, TenantContext):
        alias, tenant_id = context.alias, context.tenant_id
    event_id = uuid4()
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    with connections[alias].cursor() as cursor:
        cursor.execute(INSERT, [event_id, tenant_id, topic, json.dumps(dict(payload)), request_id])
    return event_id


def finish(event_id: UUID, *, task: str, database: str) -> None:
    """Note that a task did what an event asked of it; the last task takes the event out of its database's outbox."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(FINISH, {"event": event_id, "task": task})


def pending(database: str, *, state: str = "", limit: int = 100) -> list[Pending]:
    """Events of a database that are not done yet, oldest first; in any state unless one is named."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(PENDING, {"state": state, "limit": limit})
        return [Pending(*row) for row in cursor.fetchall()]


def payloads(
    topic: str, *, tenant_id: UUID | None, containing: Mapping[str, Any], database: str
) -> list[dict[str, Any]]:
    """What the events of a topic about a tenant (or nobody) say that are not done yet, oldest first."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(PAYLOADS, [topic, tenant_id, json.dumps(dict(containing))])
        return [json.loads(row[0]) for row in cursor.fetchall()]


def tenants_of(topic: str) -> set[UUID | None]:
    """Whom the control plane's events of a topic that are not done yet are about; None if one is about nobody."""
    with use(OutboxContext(CONTROL_ALIAS)), connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute(TENANTS, [topic])
        return {tenant_id for (tenant_id,) in cursor.fetchall()}


def backlog(database: str) -> Backlog:
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(BACKLOG)
        waiting, in_hand, parked, lag = cursor.fetchone()
    return Backlog(waiting, in_hand, parked, float(lag))


def retry(event_id: UUID, *, database: str) -> bool:
    """Hand an event over again at once, with all its attempts before it; False if it is done already."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(RETRY, [event_id])
        return bool(cursor.rowcount)
