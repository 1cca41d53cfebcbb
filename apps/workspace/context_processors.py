from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.access.subjects import ANONYMOUS
from apps.core.http import is_api
from apps.core.theme import theme_of
from apps.tenants.models import Profile, Tenant

from .navigation import ACCOUNT, MAIN, SETTINGS, links


@dataclass(frozen=True)
class PageBrand:
    """How an organization's pages look; addresses change whenever what they lead to does."""

    name: str
    logo: str = ""
    stylesheet: str = ""


def page_brand_of(tenant: Tenant) -> PageBrand:
    """Costs no query: the profile came with the tenant."""
    profile: Profile | None = getattr(tenant, "profile", None)
    if profile is None:
        return PageBrand(tenant.name)
    version = f"?v={int(profile.updated_at.timestamp() * 1_000_000)}"
    logo = reverse("brand-logo") + version if profile.has_logo else ""
    stylesheet = reverse("brand-css") + version if profile.brand_color else ""
    return PageBrand(profile.brand_name or tenant.name, logo, stylesheet)


def surroundings(request: Any) -> dict[str, Any]:
    """The theme somebody chose, and where a member or a visitor can go; the API's own page leads nowhere.

    Whoever calls that with a token is in their organization on the apex, too, where its pages have no address.
    """
    around: dict[str, Any] = {"theme": theme_of(request)}
    if is_api(request):
        return around
    tenant = getattr(request, "tenant", None)
    if tenant is not None:
        around["brand"] = page_brand_of(tenant)
    subject = getattr(request, "subject", ANONYMOUS)  # a refusal may come before anybody has looked who asks
    if tenant is not None and subject.is_authenticated:
        around["navigation"] = links(MAIN, subject.permissions, request.path)
        around["account_navigation"] = links(ACCOUNT, subject.permissions, request.path)
        around["settings_navigation"] = links(SETTINGS, subject.permissions, request.path)
    return around
