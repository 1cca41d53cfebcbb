"""What the first page shows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import date

from apps.core.memory import MemoryAway
from apps.operations.selectors import all_outboxes
from apps.tenants import traffic
from apps.tenants.models import Placement, Tenant
from apps.tenants.services import schema_store
from apps.tenants.traffic import Figures, Minute

from . import selectors
from .selectors import HELD, Organizations, Traffic

DAYS, EVENTS, TENANTS = 30, 8, 10
STATUSES = {  # with the color of its bars
    Tenant.Status.READY.value: "var(--color-primary-500)",
    Tenant.Status.PROVISIONING.value: "var(--color-primary-300)",
    HELD: "var(--color-red-500)",
    Tenant.Status.DEACTIVATED.value: "var(--color-base-400)",
}
TICKS = {"color": "#8b8b99", "font": {"size": 12}}


def dashboard(*, with_organizations: bool) -> dict[str, Any]:
    """How the platform does, for all staff; about organizations and people for those who may know."""
    minutes = _last_hour()
    machinery, hour = [*_machinery(), *_requests(minutes)], _traffic_charts(minutes)
    if not with_organizations:
        return {"kpis": machinery, "charts": hour, "events": None}
    counted, created = selectors.organizations(), selectors.sign_ups(DAYS)
    return {
        "kpis": [*_organizations(counted, sum(created.values())), *machinery],
        "charts": [*hour, _sign_ups(created), _placements(counted)],
        "busiest": _busiest() if minutes else None,
        "minutes": selectors.NOW,
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
    outboxes, stock = all_outboxes(), schema_store.stock()
    queue, away = outboxes.total, len(outboxes.unreachable)
    late = f"{queue.lag_seconds:.0f} s behind" if queue.waiting else f"in {outboxes.databases} databases"
    note = f"{queue.parked} parked" if queue.parked else late
    if away:
        note = f"{away} of {outboxes.databases} databases unreachable"
    wanted = settings.WARM_SCHEMAS
    return [
        _kpi("Outbox", queue.waiting, note, "bad" if queue.parked or away else ""),
        _kpi("Warm schemas", stock.schemas, f"of {wanted}", "" if stock.schemas >= wanted else "bad"),
        _kpi("Pool places", stock.pool_places, "free"),
    ]


def _last_hour() -> list[Minute]:
    """Nothing while memory is away."""
    try:
        return traffic.last_minutes(selectors.HOUR)
    except MemoryAway:
        return []


def _requests(minutes: list[Minute]) -> list[dict[str, str]]:
    if not minutes:
        return [_kpi("Requests in an hour", "–", "memory is away", "bad")]
    total = Figures()
    for minute in minutes:
        total.add(minute.figures)
    mean = f"{total.ms / total.requests:.0f} ms each" if total.requests else "in the last hour"
    share = f"{100 * total.errors / total.requests:.2f}%" if total.requests else "in the last hour"
    return [
        _kpi("Requests in an hour", intcomma(total.requests), f"{mean}, {intcomma(total.refused)} refused"),
        _kpi("Errors in an hour", intcomma(total.errors), share, "bad" if total.errors else ""),
    ]


def _traffic_charts(minutes: list[Minute]) -> list[dict[str, str]]:
    if not minutes:
        return []
    labels = [datetime.fromtimestamp(minute.timestamp, UTC).strftime("%H:%M") for minute in minutes]
    shown = {
        "Requests per minute": ([m.figures.requests for m in minutes], "var(--color-primary-500)"),
        "Errors per minute": ([m.figures.errors for m in minutes], "var(--color-red-500)"),
    }
    charts = []
    for title, (numbers, color) in shown.items():
        bars = {"label": title, "data": numbers, "backgroundColor": color, "borderRadius": 2}
        words = f"{title}: {sum(numbers)} in the last hour, at most {max(numbers)}, now {numbers[-1]}."
        charts.append(_chart(title, {"labels": labels, "datasets": [bars]}, words, stacked=False))
    return charts


def _busiest() -> list[Traffic] | None:
    try:
        return selectors.busiest(TENANTS)
    except MemoryAway:
        return None


def _kpi(title: str, value: object, note: str, tone: str = "") -> dict[str, str]:
    return {"title": title, "value": str(value), "note": note, "tone": tone}


def _sign_ups(created: dict[Any, int]) -> dict[str, str]:
    numbers = list(created.values())
    bars = {"label": "Sign-ups", "data": numbers, "backgroundColor": "var(--color-primary-500)", "borderRadius": 3}
    data = {"labels": [date(day, "j M") for day in created], "datasets": [bars]}
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
