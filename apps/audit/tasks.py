from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.tenancy import outbox
from apps.tenancy.tasks import retrying

from . import forwarding
from .errors import NotSealedYet, SinkBusy, SinkUnavailable
from .models import ControlEvent, Event

# About eight hours, as in the outbox; then the task fails, which is logged.
RETRIES = retrying(SinkUnavailable, SinkBusy, NotSealedYet, attempts=100, longest_pause=300)


@outbox.subscribe(forwarding.EVENT_RECORDED)
@shared_task(**RETRIES)
def forward_event(event_id: str, audit_event_id: str, sink: str) -> None:
    forwarding.forward(Event, UUID(audit_event_id), sink)


@outbox.subscribe(forwarding.CONTROL_EVENT_RECORDED)
@shared_task(control_reason="forward an audit event", **RETRIES)
def forward_control_event(event_id: str, audit_event_id: str, sink: str) -> None:
    forwarding.forward(ControlEvent, UUID(audit_event_id), sink)
