"""Events that leave with the transaction that caused them.

``emit`` writes a row in the database of the current context; the relay hands it to the tasks that subscribed
to its topic, at least once, with the event's id. The row goes when all of them are done, so that nothing is lost
with a queue. A payload holds ids, never secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

import structlog
from django.db import connections

from .context import CONTROL_ALIAS, OutboxContext, TenantContext, current, use
from .errors import NoTenantContext

INSERT = "INSERT INTO platform.outbox (event_id, tenant_id, topic, payload, request_id) VALUES (%s, %s, %s, %s, %s)"
FINISH = """UPDATE platform.outbox SET waiting_for = array_remove(waiting_for, %(task)s) WHERE event_id = %(event)s;
    DELETE FROM platform.outbox WHERE event_id = %(event)s AND waiting_for = '{}'"""

TaskType = TypeVar("TaskType", bound=Any)
_subscribers: dict[str, list[str]] = {}


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
