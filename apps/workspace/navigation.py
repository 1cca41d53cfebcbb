"""Where one can go from every page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from apps.access.permissions import AUDIT_VIEW, KEYS_MANAGE, MEMBER, SETTINGS_MANAGE, USERS_MANAGE
from apps.core.errors import Text

EVERYONE = ""


@dataclass(frozen=True)
class NavigationItem:
    """A page that the navigation leads to, for those who hold the permission."""

    label: Text
    icon: str
    route: str
    permission: str = EVERYONE


MAIN = (
    NavigationItem(_("Overview"), "layout-dashboard", "overview"),
    NavigationItem(_("Projects"), "folder", "projects:list"),
    NavigationItem(_("Members"), "users", "members"),
    NavigationItem(_("Invitations"), "mail", "invitations", USERS_MANAGE),
    NavigationItem(_("Roles"), "shield-check", "roles"),
    NavigationItem(_("Audit log"), "scroll-text", "audit-log", AUDIT_VIEW),
    NavigationItem(_("API keys"), "key-round", "api-keys-page", KEYS_MANAGE),
    NavigationItem(_("Settings"), "settings", "settings", SETTINGS_MANAGE),
)
ACCOUNT = (
    NavigationItem(_("Profile"), "user", "profile", MEMBER),
    NavigationItem(_("Security"), "shield-check", "security", MEMBER),
)


@dataclass(frozen=True)
class NavigationLink:
    label: str
    icon: str
    url: str
    is_current: bool


def links(items: tuple[NavigationItem, ...], may: Collection[str], path: str) -> list[NavigationLink]:
    """Where somebody with these permissions may go; the one they are in is current."""
    found = []
    for item in items:
        if item.permission and item.permission not in may:
            continue
        url = reverse(item.route)
        found.append(
            NavigationLink(str(item.label), item.icon, url, path == url if url == "/" else path.startswith(url))
        )
    return found
