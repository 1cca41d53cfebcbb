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
class Place:
    """A page that the navigation leads to, for those who hold the permission."""

    label: Text
    icon: str
    route: str
    permission: str = EVERYONE


MAIN = (
    Place(_("Overview"), "layout-dashboard", "overview"),
    Place(_("Projects"), "folder", "projects:list"),
    Place(_("Members"), "users", "members"),
    Place(_("Invitations"), "mail", "invitations", USERS_MANAGE),
    Place(_("Roles"), "shield-check", "roles"),
    Place(_("Audit log"), "scroll-text", "audit-log", AUDIT_VIEW),
    Place(_("API keys"), "key-round", "api-keys-page", KEYS_MANAGE),
    Place(_("Settings"), "settings", "settings", SETTINGS_MANAGE),
)
ACCOUNT = (
    Place(_("Profile"), "user", "profile", MEMBER),
    Place(_("Security"), "shield-check", "security", MEMBER),
)


@dataclass(frozen=True)
class Entry:
    label: str
    icon: str
    url: str
    is_current: bool


def entries(places: tuple[Place, ...], may: Collection[str], path: str) -> list[Entry]:
    """The places somebody with these permissions may go to; the one they are in is current."""
    found = []
    for place in places:
        if place.permission and place.permission not in may:
            continue
        url = reverse(place.route)
        found.append(Entry(str(place.label), place.icon, url, path == url if url == "/" else path.startswith(url)))
    return found
