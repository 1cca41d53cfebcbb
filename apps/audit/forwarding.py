"""Copies of events leave for the sinks in the order of their chain, with the number and the hash of their seal.

Each event is announced through the outbox, once per sink, so a slow sink does not hold up the others. Whichever of a
chain's announcements comes first takes along everything sealed that the sink has not been sent.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC
from functools import lru_cache
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Min

from apps.tenancy import outbox
from apps.tenancy.context import CONTROL_ALIAS, current_tenant

from . import cursors
from .chain import Chain, chain_of, seal
from .cursors import Claim
from .errors import EventRefused, NotSealedYet, SinkBusy
from .models import Anchor, ControlEvent, ControlSeal, Event, Seal
from .sinks import Sink, parse_sinks

log = structlog.get_logger(__name__)

EVENT_RECORDED = "audit.recorded"
CONTROL_EVENT_RECORDED = "audit.recorded_in_control"
BATCH = 100
LONGEST_SECONDS = 120  # well below the time limit of tasks


def announce(event: Event | ControlEvent) -> None:
    """Emit, in the transaction that recorded the event, its way to every sink."""
    topic, _ = _route(event)
    for name in _sinks():
        outbox.emit(topic, {"audit_event_id": str(event.id), "sink": name}, tenant_id=event.tenant_id, lane=name)


def forward(model: type[Event | ControlEvent], event_id: UUID, sink_name: str) -> None:
    """Deliver one event to one sink, after everything sealed before it; what a sink never takes is logged instead.

    Raises NotSealedYet, SinkBusy or SinkUnavailable, which all pass. Called outside a transaction.
    """
    sink = _sinks().get(sink_name)
    event = model._default_manager.filter(id=event_id).first()
    if sink is None or event is None:
        log.warning("audit_event_not_forwarded", audit_event_id=str(event_id), sink=sink_name, found=event is not None)
        return
    chain = chain_of(event)
    number = _sealed_number(event, chain)
    cursor = cursors.find(sink_name, chain) or cursors.start(sink_name, chain, _first_announced(sink, event, chain) - 1)
    if number <= cursor.number <= chain.head().number:
        return
    with cursors.claimed(cursor) as claim:
        if claim.number > chain.head().number:
            log.error("audit_chain_cut_off", chain=str(chain), sink=sink_name, sent=claim.number)
            claim.move(_first_announced(sink, event, chain) - 1)  # or the sink would miss what is written instead
        _send_on(sink, chain, claim)
        if claim.number < number:
            raise SinkBusy("There is more before this event than one task may send.")


def document(event: Event | ControlEvent, link: Seal | ControlSeal) -> dict[str, Any]:
    """An event as the outside is told it."""
    plane = Anchor.Chain.TENANT if isinstance(event, Event) else Anchor.Chain.CONTROL
    return {
        "id": str(event.id),
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "tenant_id": str(event.tenant_id) if event.tenant_id else None,
        "plane": plane.value,
        "seal": {"number": link.number, "hash": bytes(link.hash).hex()},
        "actor": {"type": event.actor_type, "id": event.actor_id, "ip": event.actor_ip},
        "action": event.action,
        "resource": {"type": event.resource_type, "id": event.resource_id},
        "changes": event.changes,
        "metadata": event.metadata,
    }


def _sealed_number(event: Event | ControlEvent, chain: Chain) -> int:
    """The event's number in its chain, which is sealed for it. Raises NotSealedYet."""
    numbers = chain.seals().filter(event_id=event.id).values_list("number", flat=True)
    number: int | None = numbers.first()
    if number is None:
        seal(chain)
        number = numbers.first()
    if number is None:
        raise NotSealedYet(f"{event.id} waits for an older transaction.")
    return number


def _first_announced(sink: Sink, event: Event | ControlEvent, chain: Chain) -> int:
    """The lowest number announced to a sink that has been sent nothing yet, whichever event's task comes first.

    All below a sealed event is committed, with its outbox rows.
    """
    topic, database = _route(event)
    waiting = outbox.payloads(topic, tenant_id=event.tenant_id, containing={"sink": sink.name}, database=database)
    ids = {event.id, *(UUID(payload["audit_event_id"]) for payload in waiting)}
    return chain.seals().filter(event_id__in=ids).aggregate(first=Min("number"))["first"]  # type: ignore[no-any-return]


def _send_on(sink: Sink, chain: Chain, claim: Claim) -> None:
    """Send all that is sealed after the cursor, in order, for as long as one task may take."""
    deadline = time.monotonic() + LONGEST_SECONDS
    for link, event in _sealed_after(claim.number, chain):
        _deliver(sink, event, link)
        claim.move(link.number)
        if time.monotonic() > deadline:
            return


def _sealed_after(number: int, chain: Chain) -> Iterator[tuple[Seal | ControlSeal, Event | ControlEvent | None]]:
    while links := list(chain.in_order().filter(number__gt=number)[:BATCH]):
        events = chain.events().in_bulk([link.event_id for link in links])
        yield from ((link, events.get(link.event_id)) for link in links)
        number = links[-1].number


def _deliver(sink: Sink, event: Event | ControlEvent | None, link: Seal | ControlSeal) -> None:
    if event is None:
        log.warning("audit_event_not_forwarded", audit_event_id=str(link.event_id), sink=sink.name, found=False)
        return
    try:
        sink.deliver(document(event, link))
    except EventRefused as error:
        log.error("audit_event_refused", audit_event_id=str(event.id), sink=sink.name, error=str(error))


def _route(event: Event | ControlEvent) -> tuple[str, str]:
    """The topic under which an event is announced, and the database whose outbox it is in."""
    if isinstance(event, Event):
        return EVENT_RECORDED, current_tenant().alias
    return CONTROL_EVENT_RECORDED, CONTROL_ALIAS


def _sinks() -> dict[str, Sink]:
    return _parsed(tuple(settings.AUDIT_SINKS))


@lru_cache(maxsize=8)
def _parsed(urls: tuple[str, ...]) -> dict[str, Sink]:
    return {sink.name: sink for sink in parse_sinks(urls)}
