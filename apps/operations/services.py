"""Events that got stuck in an outbox."""

from __future__ import annotations

from uuid import UUID

from apps.audit import services as audit
from apps.audit.actors import Actor, Thing
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .errors import EventGone
from .selectors import open_outbox


def retry_event(*, event_id: UUID, database: str, actor: Actor) -> None:
    """Hand an event of a database's outbox over again at once. Raises EventGone.

    The outbox is no part of the control plane, so the record comes first: none may be retried without one.
    """
    name = open_outbox(database)
    with control("retry an event"), atomic():
        audit.record("outbox.retried", actor=actor, resource=Thing(type="event", id=str(event_id)), database=name)
    if not outbox.retry(event_id, database=name):
        raise EventGone
