"""The sidebar."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from .access import is_superuser

TENANTS = {
    "Tenants": ("domain", "admin:tenants_tenant_changelist"),
    "Domains": ("language", "admin:tenants_domain_changelist"),
    "Memberships": ("badge", "admin:accounts_membership_changelist"),
    "Users": ("group", "admin:accounts_user_changelist"),
    "Support visits": ("visibility", "admin:accounts_supportvisit_changelist"),
}
PLACEMENTS = {
    "Placements": ("dns", "admin:tenants_placement_changelist"),
    "Pools": ("stacks", "admin:tenants_pool_changelist"),
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """What the person may open; everything that is about tenants is for superusers."""
    everything = is_superuser(request)
    events = {"Outbox": ("outbox", "staff-outbox"), "Migrations": ("published_with_changes", "staff-fleet")}
    if everything:
        events["Audit log"] = ("history", "admin:audit_controlevent_changelist")
    groups = [_group("", {"Dashboard": ("dashboard", "admin:index")})]
    groups += [_group("Tenants", TENANTS), _group("Placements", PLACEMENTS)] if everything else []
    return [*groups, _group("Events", events)]


def _group(title: str, items: dict[str, tuple[str, str]]) -> dict[str, Any]:
    links = [{"title": name, "icon": icon, "link": reverse(route)} for name, (icon, route) in items.items()]
    return {"title": title, "separator": bool(title), "items": links}
