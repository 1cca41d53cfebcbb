"""Recording an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import structlog
from django.db import models

from apps.core.text import without_nul
from apps.tenancy.context import TenantContext, current
from apps.tenancy.transactions import in_transaction

from .actors import Actor, Thing, origin
from .errors import NotInTransaction
from .forwarding import announce
from .models import ControlEvent, Event


def record(
    action: str,
    *,
    actor: Actor,
    resource: models.Model | Thing,
    changes: Mapping[str, Any] | None = None,
    tenant_id: UUID | None = None,
    **metadata: Any,
) -> Event | ControlEvent:
    """Record an act in the transaction that performs it: in a tenant's context in its own log, in the control
    plane in the platform's, about ``tenant_id`` or nobody.

    ``changes`` maps a field to [before, after]. Raises NotInTransaction.
    """
    if not in_transaction():
        raise NotInTransaction(f"{action} is recorded outside a transaction.")
    source, thing = origin(), resource if isinstance(resource, Thing) else _thing(resource)
    fields: dict[str, Any] = {
        "actor_type": actor.type,
        "actor_id": actor.id,
        "actor_ip": source.ip,
        "action": action,
        "resource_type": thing.type,
        "resource_id": thing.id,
        "changes": _plain(dict(changes or {})),
        "metadata": _plain({**_request(), **metadata}),
    }
    event: Event | ControlEvent
    if isinstance(current(), TenantContext):
        event = Event.objects.create(**fields)
    else:
        event = ControlEvent.objects.create(tenant_id=tenant_id, **fields)
    announce(event)
    return event


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What differs between two states of a thing, as ``record`` takes it."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def state(instance: models.Model, *fields: str) -> dict[str, Any]:
    return {field: getattr(instance, field) for field in fields}


def _thing(row: models.Model) -> Thing:
    return Thing(type=str(row._meta.model_name), id=str(row.pk or ""))


def _request() -> dict[str, str]:
    source = origin()
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    found = {
        "user_agent": source.user_agent[:400],
        "session_id": source.session_id,
        "request_id": str(request_id),
        "call": source.call,
    }
    return {name: value for name, value in found.items() if value}


def _plain(value: Any) -> Any:
    """JSON that PostgreSQL stores: no NUL characters, everything unknown as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return without_nul(str(value))
