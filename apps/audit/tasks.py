from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task

from apps.tenancy import outbox

from . import forwarding
from .errors import SinkUnavailable
from .models import ControlEvent, Event

# About eight hours, as in the outbox; then the task fails, which is logged. The longest pause stays below the
# broker's visibility timeout, or a waiting task would be delivered twice.
RETRIES: dict[str, Any] = {
    "autoretry_for": (SinkUnavailable,),
    "retry_backoff": True,
    "retry_backoff_max": 300,
    "max_retries": 100,
}


@outbox.subscribe(forwarding.EVENT_RECORDED)
@shared_task(**RETRIES)
def forward_event(event_id: str, audit_event_id: str, sink: str) -> None:
    forwarding.forward(Event, UUID(audit_event_id), sink)


@outbox.subscribe(forwarding.CONTROL_EVENT_RECORDED)
@shared_task(control_reason="forward an audit event", **RETRIES)
def forward_control_event(event_id: str, audit_event_id: str, sink: str) -> None:
    forwarding.forward(ControlEvent, UUID(audit_event_id), sink)
