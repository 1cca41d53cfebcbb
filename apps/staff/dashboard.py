"""What the first page shows."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.template.defaultfilters import date

from apps.tenancy import outbox
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenants.models import Placement, Tenant
from apps.tenants.services import schema_store

from . import selectors
from .selectors import HELD, Organizations

DAYS, EVENTS = 30, 8
STATUSES = {  # with the color of its bars
    Tenant.Status.READY.value: "var(--color-primary-500)",
    Tenant.Status.PROVISIONING.value: "var(--color-primary-300)",
    HELD: "var(--color-red-500)",
    Tenant.Status.DEACTIVATED.value: "var(--color-base-400)",
}
TICKS = {"color": "#8b8b99", "font": {"size": 12}}


def dashboard(*, with_organizations: bool) -> dict[str, Any]:
    """How the platform does, for all staff; about organizations and people for those who may know."""
    machinery = _machinery()
    if not with_organizations:
        return {"kpis": machinery, "charts": [], "events": None}
    counted, founded = selectors.organizations(), selectors.sign_ups(DAYS)
    return {
        "kpis": [*_organizations(counted, sum(founded.values())), *machinery],
        "charts": [_sign_ups(founded), _placements(counted)],
        "events": _events(),
    }


def _organizations(counted: Organizations, new: int) -> list[dict[str, str]]:
    waiting, held = counted.having(Tenant.Status.PROVISIONING), counted.having(HELD)
    people = selectors.members_per_tenant()
    return [
        _kpi("Tenants", counted.total, f"+{new} in {DAYS} days", "good" if new else ""),
        _kpi("Held", held, f"{waiting} being provisioned"),
        _kpi("Members per tenant", f"{people:.1f}", "on average"),
    ]


def _machinery() -> list[dict[str, str]]:
    queue, stock = outbox.backlog(CONTROL_ALIAS), schema_store.stock()
    late = f"{queue.lag_seconds:.0f} s behind" if queue.waiting else "nothing late"
    parked = f"{queue.parked} parked" if queue.parked else late
    wanted = settings.WARM_SCHEMAS
    return [
        _kpi("Outbox", queue.waiting, parked, "bad" if queue.parked else ""),
        _kpi("Warm schemas", stock.schemas, f"of {wanted}", "" if stock.schemas >= wanted else "bad"),
        _kpi("Pool places", stock.pool_places, "free"),
    ]


def _kpi(title: str, value: object, note: str, tone: str = "") -> dict[str, str]:
    return {"title": title, "value": str(value), "note": note, "tone": tone}


def _sign_ups(founded: dict[Any, int]) -> dict[str, str]:
    numbers = list(founded.values())
    bars = {"label": "Sign-ups", "data": numbers, "backgroundColor": "var(--color-primary-500)", "borderRadius": 3}
    data = {"labels": [date(day, "j M") for day in founded], "datasets": [bars]}
    words = f"{sum(numbers)} tenants signed up in the last {DAYS} days, {numbers[-1]} of them today."
    return _chart("Sign-ups per day", data, words, stacked=False)


def _placements(counted: Organizations) -> dict[str, str]:
    kinds = Placement.Kind.values
    shown = [status for status in STATUSES if status == Tenant.Status.READY or counted.having(status)]
    bars = [
        {
            "label": status.capitalize(),
            "data": [counted.counts[kind].get(status, 0) for kind in kinds],
            "backgroundColor": STATUSES[status],
            "maxBarThickness": 56,
            "borderRadius": 3,
        }
        for status in shown
    ]
    data = {"labels": [kind.capitalize() for kind in kinds], "datasets": bars}
    words = "; ".join(f"{kind}: {sum(counted.counts[kind].values())}" for kind in kinds)
    return _chart("Tenants by placement and status", data, words, stacked=True)


def _chart(title: str, data: dict[str, Any], words: str, *, stacked: bool) -> dict[str, str]:
    x = {"stacked": stacked, "grid": {"display": False}, "ticks": {**TICKS, "maxTicksLimit": 8, "maxRotation": 0}}
    y = {"stacked": stacked, "beginAtZero": True, "suggestedMax": 4, "grid": {}, "ticks": {**TICKS, "precision": 0}}
    legend = {"display": stacked, "position": "bottom", "labels": {"boxWidth": 10, "boxHeight": 10, **TICKS}}
    options = {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {"legend": legend},
        "scales": {"x": {**x, "border": {"display": False}}, "y": {**y, "border": {"display": False}}},
    }
    return {"title": title, "data": json.dumps(data), "options": json.dumps(options), "words": words}


def _events() -> dict[str, Any]:
    rows = [
        [
            event["action"],
            event["organization"] or "the platform",
            event["actor_type"],
            date(event["occurred_at"], "j M, H:i:s"),
        ]
        for event in selectors.recent_events(EVENTS)
    ]
    return {"headers": ["What", "About", "By", "When (UTC)"], "rows": rows}
