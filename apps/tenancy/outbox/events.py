"""Events that leave with the transaction that caused them.

``emit`` writes a row in the database of the current context; the relay hands it to the tasks that subscribed
to its topic, at least once, with the event's id. The row goes when all of them are done, so that nothing is lost
with a queue. A payload holds ids, never secrets.

The events of an organization are begun in the order they were emitted in, each *lane* for itself: what waits for
servers of others (mails, sinks) has one of its own, so that a slow one holds up nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

import structlog
from django.db import connections, transaction

from ..context import CONTROL_ALIAS, OutboxContext, TenantContext, current, use
from ..errors import NoTenantContext

MAILS = "mails"  # the lane of what ends as a mail
INSERT = """INSERT INTO platform.outbox (event_id, tenant_id, topic, payload, request_id, lane)
    VALUES (%s, %s, %s, %s, %s, %s)"""
FINISH = """UPDATE platform.outbox SET waiting_for = array_remove(waiting_for, %(task)s) WHERE event_id = %(event)s;
    DELETE FROM platform.outbox WHERE event_id = %(event)s AND waiting_for = '{}'"""
# An event waits for the relay, is in the hands of tasks, or is parked until somebody looks. Each state is found
# through an index, and not much further than is shown.
PENDING = """WITH parked AS MATERIALIZED (SELECT id FROM platform.outbox
        WHERE stage = 'alone' AND available_at = 'infinity' AND %(state)s IN ('', 'parked')
        ORDER BY id LIMIT %(limit)s),
    in_hand AS MATERIALIZED ((SELECT id FROM platform.outbox
        WHERE stage = 'in hand' AND %(state)s IN ('', 'in hand') LIMIT %(limit)s)
        UNION ALL (SELECT id FROM platform.outbox WHERE stage = 'alone' AND waiting_for IS NOT NULL
        AND available_at > now() AND available_at < 'infinity' AND %(state)s IN ('', 'in hand') LIMIT %(limit)s)),
    oldest AS MATERIALIZED (SELECT id, stage FROM platform.outbox
        WHERE %(state)s IN ('', 'waiting') ORDER BY id LIMIT 10 * %(limit)s),
    waiting AS MATERIALIZED ((SELECT id FROM oldest WHERE stage = 'waiting' LIMIT %(limit)s)
        UNION (SELECT id FROM platform.outbox
        WHERE stage = 'waiting' AND %(state)s IN ('', 'waiting') LIMIT %(limit)s)
        UNION (SELECT id FROM platform.outbox WHERE stage = 'alone' AND available_at < 'infinity'
        AND (waiting_for IS NULL OR available_at <= now()) AND %(state)s IN ('', 'waiting') LIMIT %(limit)s)),
    found AS (SELECT id, 'parked' AS state FROM parked UNION ALL SELECT id, 'in hand' FROM in_hand
        UNION ALL SELECT id, 'waiting' FROM waiting)
    SELECT event_id, tenant_id, topic, state, attempts, deliveries, last_error, created_at
    FROM found JOIN platform.outbox USING (id) ORDER BY created_at, id LIMIT %(limit)s"""
# Statistics of a queue are of another hour, and would have all of it sorted, or read for a join.
IN_ORDER = "SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
PAYLOADS = """SELECT payload FROM platform.outbox
    WHERE topic = %s AND tenant_id IS NOT DISTINCT FROM %s AND payload @> %s ORDER BY id"""
TENANTS = "SELECT DISTINCT tenant_id FROM platform.outbox WHERE topic = %s"
COUNTED = 10_000  # as far as events are counted: nobody asks whether it is one more
BACKLOG = """SELECT (SELECT count(*) FROM (
        SELECT FROM platform.outbox WHERE stage = 'waiting' UNION ALL
        SELECT FROM platform.outbox WHERE stage = 'alone' AND available_at < 'infinity'
            AND (waiting_for IS NULL OR available_at <= now()) LIMIT %(counted)s) waiting),
    (SELECT count(*) FROM (
        SELECT FROM platform.outbox WHERE stage = 'in hand' UNION ALL
        SELECT FROM platform.outbox WHERE stage = 'alone' AND waiting_for IS NOT NULL
            AND available_at > now() AND available_at < 'infinity' LIMIT %(counted)s) in_hand),
    (SELECT count(*) FROM (
        SELECT FROM platform.outbox WHERE stage = 'alone' AND available_at = 'infinity' LIMIT %(counted)s) parked),
    coalesce(extract(epoch FROM now() - least(
        (SELECT available_at FROM platform.outbox WHERE stage = 'waiting' AND available_at <= now()
            ORDER BY id LIMIT 1),
        (SELECT min(available_at) FROM platform.outbox WHERE stage = 'alone' AND available_at <= now()))), 0)"""
RETRY = """UPDATE platform.outbox SET available_at = now(), attempts = 0, deliveries = 0 WHERE event_id = %s
    RETURNING pg_notify('outbox', '')"""
STATES = ("waiting", "in hand", "parked")

TaskType = TypeVar("TaskType", bound=Any)
_subscribers: dict[str, list[str]] = {}
_alone: set[str] = set()


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
    """How many events of one database are in each state, and for how long the relay has left the next one waiting.

    They are counted up to ``COUNTED``.
    """

    waiting: int
    in_hand: int
    parked: int
    lag_seconds: float


def subscribe(topic: str, *, alone: bool = False) -> Callable[[TaskType], TaskType]:
    """Declare a task that handles a topic. It is called with ``event_id`` and the payload's keys.

    One that may take minutes is declared ``alone``: the topic's events go in messages of their own, in no order.
    """

    def register(task: TaskType) -> TaskType:
        _subscribers.setdefault(topic, []).append(task.name)
        if alone:
            _alone.add(topic)
        return task

    return register


def subscribers_of(topic: str) -> list[str]:
    """The names of the tasks that handle a topic. Raises LookupError if there are none."""
    if topic not in _subscribers:
        raise LookupError(f"No task subscribes to {topic}.")
    return _subscribers[topic]


def goes_alone(topic: str) -> bool:
    """Whether events of a topic hold up no others, as nobody handles them, or it takes long."""
    return topic in _alone or topic not in _subscribers


def emit(topic: str, payload: Mapping[str, Any], *, tenant_id: UUID | None = None, lane: str = "") -> UUID:
    """Write an event in the current transaction. Returns its id.

    In a tenant context it is that tenant's event; in the control plane it is about ``tenant_id``, or nobody. It waits
    for those of the same organization and lane that were emitted before it. Lanes are few and named in the code.
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
        cursor.execute(INSERT, [event_id, tenant_id, topic, json.dumps(dict(payload)), request_id, lane])
    return event_id


def finish(event_id: UUID, *, task: str, database: str) -> None:
    """Note that a task did what an event asked of it; the last task takes the event out of its database's outbox."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(FINISH, {"event": event_id, "task": task})


def pending(database: str, *, state: str = "", limit: int = 100) -> list[Pending]:
    """Events of a database that are not done yet, oldest first; in any state unless one is named."""
    with use(OutboxContext(database)), transaction.atomic(using=database), connections[database].cursor() as cursor:
        cursor.execute(IN_ORDER)
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
        cursor.execute(BACKLOG, {"counted": COUNTED})
        waiting, in_hand, parked, lag = cursor.fetchone()
    return Backlog(waiting, in_hand, parked, float(lag))


def retry(event_id: UUID, *, database: str) -> bool:
    """Hand an event over again at once, with all its attempts before it; False if it is done already."""
    with use(OutboxContext(database)), connections[database].cursor() as cursor:
        cursor.execute(RETRY, [event_id])
        return bool(cursor.rowcount)
