"""Reading an organization's log: what happened inside it and what was done about it, as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.tenancy.context import control

from .actors import ABOUT_THE_REQUEST
from .models import Anchor, ControlEvent, Event

PAGE = 500

Position = tuple[datetime, UUID]


class Filters(TypedDict, total=False):
    """What a reader may ask for. ``action`` is a prefix: ``project`` finds ``project.created``."""

    action: str
    actions: tuple[str, ...]
    actor_id: str
    resource_type: str
    resource_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class AuditEntry:
    """An event of either plane; ``withheld`` is one whose content its reader may not see."""

    id: UUID
    occurred_at: datetime
    actor_type: str
    actor_id: str
    actor_ip: str | None
    action: str
    resource_type: str
    resource_id: str
    changes: dict[str, Any]
    metadata: dict[str, Any]
    plane: str
    withheld: bool = False

    def without_content(self) -> AuditEntry:
        """That it happened, when, by whom and to what, without names and values."""
        kept = {name: value for name, value in self.metadata.items() if name in ABOUT_THE_REQUEST}
        return replace(self, changes={}, metadata=kept, withheld=True)

    @property
    def resource(self) -> tuple[str, str]:
        return self.resource_type, self.resource_id

    @property
    def position(self) -> Position:
        return self.occurred_at, self.id


COLUMNS = tuple(field.name for field in fields(AuditEntry) if field.name not in ("plane", "withheld"))
LOOKUPS = {
    "action": "action__startswith",
    "actions": "action__in",
    "since": "occurred_at__gte",
    "until": "occurred_at__lt",
}


def events_page(
    *,
    tenant_id: UUID,
    limit: int,
    before: Position | None = None,
    after: Position | None = None,
    **filters: Unpack[Filters],
) -> list[AuditEntry]:
    """Up to ``limit`` entries of both planes, newest first: the ones just before, or just after, a position.

    Called in the tenant's context, whose walls hold for the control plane's events too.
    """
    logs: dict[Anchor.Chain, QuerySet[Any]] = {
        Anchor.Chain.TENANT: Event.objects.all(),
        Anchor.Chain.CONTROL: ControlEvent.objects.all(),
    }
    upward = after is not None
    found: list[AuditEntry] = []
    for plane, log in logs.items():
        rows = _between(log.filter(tenant_id=tenant_id, **_conditions(filters)), before, after)
        rows = rows.order_by("occurred_at", "id") if upward else rows.order_by("-occurred_at", "-id")
        found += [AuditEntry(**row, plane=plane.value) for row in rows.values(*COLUMNS)[:limit]]
    nearest = sorted(found, key=attrgetter("position"), reverse=not upward)[:limit]
    return nearest[::-1] if upward else nearest


def all_events(*, tenant_id: UUID, **filters: Unpack[Filters]) -> Iterator[AuditEntry]:
    """Every entry, newest first."""
    return chain.from_iterable(event_pages(tenant_id=tenant_id, **filters))


def event_pages(*, tenant_id: UUID, **filters: Unpack[Filters]) -> Iterator[list[AuditEntry]]:
    """The same, a page in memory at a time and no transaction open between pages."""
    page = events_page(tenant_id=tenant_id, limit=PAGE, **filters)
    while page:
        yield page
        page = events_page(tenant_id=tenant_id, limit=PAGE, before=page[-1].position, **filters)


def _conditions(filters: Filters) -> dict[str, Any]:
    return {LOOKUPS.get(name, name): value for name, value in filters.items()}


def _between(rows: QuerySet[Any], before: Position | None, after: Position | None) -> QuerySet[Any]:
    if before is not None:
        at, key = before
        rows = rows.filter(Q(occurred_at__lt=at) | Q(id__lt=key), occurred_at__lte=at)
    if after is not None:
        at, key = after
        rows = rows.filter(Q(occurred_at__gt=at) | Q(id__gt=key), occurred_at__gte=at)
    return rows


def done_for_call(*, tenant_id: UUID, call_id: UUID, since: datetime) -> list[Event | ControlEvent]:
    """What was done for a repeatable call, inside the organization or about it; read in its context."""
    done = {"occurred_at__gte": since, "metadata__call": str(call_id)}
    with control("look what a call did"):
        about = list(ControlEvent.objects.filter(**done, tenant_id=tenant_id))
    return [*Event.objects.filter(**done), *about]
