"""Figures about the platform, each from one query. Called in the control plane."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.accounts.models import Membership
from apps.audit.models import ControlEvent
from apps.tenants import traffic
from apps.tenants.models import Placement, Tenant
from apps.tenants.traffic import Figures

HELD = "held"
HOUR = 60  # minutes
NOW = 5  # minutes: who is noisy
NOISY_SHARE = 0.5
NOISY_MS = 15_000  # of work in these minutes, below which nobody disturbs anybody


@dataclass(frozen=True)
class Organizations:
    """How many there are, by placement and then by status; a held one counts as held whatever its status."""

    counts: dict[str, dict[str, int]]

    @property
    def total(self) -> int:
        return sum(sum(by_status.values()) for by_status in self.counts.values())

    def having(self, status: str) -> int:
        return sum(by_status.get(status, 0) for by_status in self.counts.values())


def organizations() -> Organizations:
    """Every organization but the erased ones."""
    rows = Tenant.objects.without_probes().exclude(status=Tenant.Status.ERASED).order_by()
    counts: dict[str, dict[str, int]] = {kind: {} for kind in Placement.Kind.values}
    grouped = rows.values("requested_placement", "status").annotate(
        all=Count("id"), held=Count("id", filter=Q(held_at__isnull=False))
    )
    for row in grouped:
        by_status = counts.setdefault(row["requested_placement"], {})
        by_status[row["status"]] = row["all"] - row["held"]
        by_status[HELD] = by_status.get(HELD, 0) + row["held"]
    return Organizations(counts)


def sign_ups(days: int) -> dict[datetime.date, int]:
    """Organizations created on each of the last so many days, today included."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    found = {(midnight - timedelta(days=ago)).date(): 0 for ago in reversed(range(days))}
    rows = Tenant.objects.without_probes().filter(created_at__gte=midnight - timedelta(days=days - 1)).order_by()
    grouped = rows.annotate(day=TruncDate("created_at")).values("day").annotate(number=Count("id"))
    return {**found, **{row["day"]: row["number"] for row in grouped}}


def members_per_tenant() -> float:
    """The average over the tenants that have members."""
    found = Membership.objects.filter(tenant__is_probe=False).aggregate(
        members=Count("id"), organizations=Count("tenant_id", distinct=True)
    )
    return float(found["members"] / found["organizations"]) if found["organizations"] else 0.0


@dataclass(frozen=True)
class Traffic:
    """What one organization asked for in the last minutes. ``share`` is its part of the time of all requests.

    It is noisy if that is more than half, others asked for something too, and it is work worth the name.
    """

    tenant_id: UUID
    name: str  # none of one that is gone
    figures: Figures
    share: float
    is_alone: bool

    @property
    def percent(self) -> int:
        return round(100 * self.share)

    @property
    def is_noisy(self) -> bool:
        return not self.is_alone and self.share > NOISY_SHARE and self.figures.ms >= NOISY_MS


def busiest(limit: int) -> list[Traffic]:
    """The organizations that took most of the time of the last minutes, the busiest first. Raises MemoryAway."""
    found = traffic.by_tenant(NOW)
    everybody = sum(minute.figures.ms for minute in traffic.last_minutes(NOW)) or 1
    ranked = sorted(found.items(), key=lambda item: (item[1].ms, item[1].requests), reverse=True)[:limit]
    names = dict(Tenant.objects.filter(id__in=[tenant_id for tenant_id, _ in ranked]).values_list("id", "name"))
    return [
        Traffic(tenant_id, names.get(tenant_id, ""), figures, figures.ms / everybody, len(found) == 1)
        for tenant_id, figures in ranked
    ]


def recent_events(limit: int) -> list[dict[str, Any]]:
    """What was last recorded in the control plane, with the organization it is about."""
    rows = ControlEvent.objects.order_by("-occurred_at", "-id").annotate(organization=F("tenant__name"))
    return [dict(row) for row in rows.values("occurred_at", "action", "organization", "actor_type")[:limit]]
