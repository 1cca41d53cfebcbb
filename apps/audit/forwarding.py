"""Events leave for the sinks through the outbox, once per sink: a slow one does not hold up the others."""

from __future__ import annotations

from datetime import UTC
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings

from apps.tenancy import outbox

from .errors import EventRefused
from .models import Anchor, ControlEvent, Event
from .sinks import Sink, parse_sinks

log = structlog.get_logger(__name__)

EVENT_RECORDED = "audit.recorded"
CONTROL_EVENT_RECORDED = "audit.recorded_in_control"


def announce(event: Event | ControlEvent) -> None:
    """Emit, in the transaction that recorded the event, its way to every sink."""
    topic = EVENT_RECORDED if isinstance(event, Event) else CONTROL_EVENT_RECORDED
    for name in _sinks():
        outbox.emit(topic, {"audit_event_id": str(event.id), "sink": name}, tenant_id=event.tenant_id)


def forward(model: type[Event | ControlEvent], event_id: UUID, sink_name: str) -> None:
    """Deliver one event to one sink. Raises SinkUnavailable; what will never be accepted is logged instead."""
    sink = _sinks().get(sink_name)
    event = model._default_manager.filter(id=event_id).first()
    if sink is None or event is None:
        log.warning("audit_event_not_forwarded", audit_event_id=str(event_id), sink=sink_name, found=event is not None)
        return
    try:
        sink.deliver(document(event))
    except EventRefused as error:
        log.error("audit_event_refused", audit_event_id=str(event_id), sink=sink_name, error=str(error))


def document(event: Event | ControlEvent) -> dict[str, Any]:
    """An event as the outside is told it."""
    plane = Anchor.Chain.TENANT if isinstance(event, Event) else Anchor.Chain.CONTROL
    return {
        "id": str(event.id),
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "tenant_id": str(event.tenant_id) if event.tenant_id else None,
        "plane": plane.value,
        "actor": {"type": event.actor_type, "id": event.actor_id, "ip": event.actor_ip},
        "action": event.action,
        "resource": {"type": event.resource_type, "id": event.resource_id},
        "changes": event.changes,
        "metadata": event.metadata,
    }


def _sinks() -> dict[str, Sink]:
    return _parsed(tuple(settings.AUDIT_SINKS))


@lru_cache(maxsize=8)
def _parsed(urls: tuple[str, ...]) -> dict[str, Sink]:
    return {sink.name: sink for sink in parse_sinks(urls)}
