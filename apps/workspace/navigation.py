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
    route: str
    icon: str = ""
    permission: str = EVERYONE


@dataclass(frozen=True)
class NavigationLink:
    """An item as it is on one page: where it leads, and whether one is in it."""

    label: str
    icon: str
    url: str
    is_current: bool


MAIN = (
    NavigationItem(_("Overview"), "overview", "layout-dashboard"),
    NavigationItem(_("Projects"), "projects:list", "folder"),
    NavigationItem(_("Members"), "members", "users"),
    NavigationItem(_("Invitations"), "invitations", "mail", USERS_MANAGE),
    NavigationItem(_("Roles"), "roles", "shield-check"),
    NavigationItem(_("Audit log"), "audit-log", "scroll-text", AUDIT_VIEW),
    NavigationItem(_("API keys"), "api-keys-page", "key-round", KEYS_MANAGE),
    NavigationItem(_("Settings"), "settings", "settings", SETTINGS_MANAGE),
)
ACCOUNT = (
    NavigationItem(_("Profile"), "profile", "user", MEMBER),
    NavigationItem(_("Security"), "security", "shield-check", MEMBER),
)
SETTINGS = (
    NavigationItem(_("General"), "settings"),
    NavigationItem(_("Project fields"), "projects:fields"),
    NavigationItem(_("Danger zone"), "danger-zone"),
)


def links(items: tuple[NavigationItem, ...], may: Collection[str], path: str) -> list[NavigationLink]:
    """Where somebody with these permissions may go; the nearest one above the path is current."""
    shown = [(item, reverse(item.route)) for item in items if not item.permission or item.permission in may]
    around = [url for _, url in shown if path.startswith(url) and (url != "/" or path == "/")]
    current = max(around, key=len, default=None)
    return [NavigationLink(str(item.label), item.icon, url, url == current) for item, url in shown]
