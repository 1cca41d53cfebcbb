"""What each role, and each relation to a single thing, allows."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.errors import Text

PROJECTS_READ = "projects:read"
PROJECTS_WRITE = "projects:write"
PROJECTS_DELETE = "projects:delete"
PROJECTS_SHARE = "projects:share"
BILLING_VIEW = "billing:view"
BILLING_MANAGE = "billing:manage"
USERS_MANAGE = "users:manage"
ROLES_MANAGE = "roles:manage"
KEYS_MANAGE = "keys:manage"
SETTINGS_MANAGE = "settings:manage"
SSO_MANAGE = "sso:manage"
FLAGS_MANAGE = "flags:manage"
AUDIT_VIEW = "audit:view"
ANALYTICS_VIEW = "analytics:view"
INTEGRATIONS_MANAGE = "integrations:manage"

# What no role lacks: looking after oneself, knowing the organization, asking for the projects that one may see.
MEMBER = "member"
ORGANIZATION_READ = "organization:read"
PROJECTS_LIST = "projects:list"

DESCRIPTIONS: dict[str, Text] = {
    PROJECTS_READ: _("See the organization's projects and documents"),
    PROJECTS_WRITE: _("Create and change projects and documents"),
    PROJECTS_DELETE: _("Delete projects"),
    PROJECTS_SHARE: _("Share projects and documents with single members"),
    BILLING_VIEW: _("See subscription and invoices"),
    BILLING_MANAGE: _("Change subscription and payment method"),
    USERS_MANAGE: _("Invite, change and remove members"),
    ROLES_MANAGE: _("Make and change the organization's own roles"),
    KEYS_MANAGE: _("Make and revoke API keys"),
    SETTINGS_MANAGE: _("Change name, branding and settings"),
    SSO_MANAGE: _("Set up single sign-on"),
    FLAGS_MANAGE: _("Turn features on and off"),
    AUDIT_VIEW: _("Read and export the audit log"),
    ANALYTICS_VIEW: _("See usage and figures"),
    INTEGRATIONS_MANAGE: _("Connect other services"),
}
ALL = frozenset(DESCRIPTIONS)

# What the part before the colon is about.
AREAS: dict[str, Text] = {
    "projects": _("Projects"),
    "billing": _("Billing"),
    "users": _("Members"),
    "roles": _("Roles"),
    "keys": _("API keys"),
    "settings": _("Settings"),
    "sso": _("Single sign-on"),
    "flags": _("Features"),
    "audit": _("Audit log"),
    "analytics": _("Analytics"),
    "integrations": _("Integrations"),
}
EVERYONE = frozenset({MEMBER, ORGANIZATION_READ, PROJECTS_LIST})

# What a key may do besides its scopes: whoever changes something may look at what is there.
IMPLIED: dict[str, str] = {
    PROJECTS_READ: PROJECTS_LIST,
    USERS_MANAGE: ORGANIZATION_READ,
    ROLES_MANAGE: ORGANIZATION_READ,
    SETTINGS_MANAGE: ORGANIZATION_READ,
}


# What staff sees on a support visit: what a viewer sees, and what happened. It changes nothing, whatever is here.
VISITING = frozenset({ORGANIZATION_READ, PROJECTS_LIST, PROJECTS_READ, AUDIT_VIEW})


class Role(models.TextChoices):
    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    MEMBER = "member", _("Member")
    VIEWER = "viewer", _("Viewer")
    CUSTOM = "custom", _("Custom")


GRANTS: dict[str, frozenset[str]] = {
    Role.OWNER: ALL,
    Role.ADMIN: ALL - {BILLING_MANAGE, INTEGRATIONS_MANAGE},
    Role.MEMBER: frozenset({PROJECTS_READ, PROJECTS_WRITE, ANALYTICS_VIEW}),
    Role.VIEWER: frozenset({PROJECTS_READ}),
    Role.CUSTOM: frozenset(),  # the custom role itself says
}


def by_area() -> dict[str, dict[str, Text]]:
    """The permissions with their descriptions, under the name of what they are about."""
    grouped: dict[str, dict[str, Text]] = {}
    for permission, description in DESCRIPTIONS.items():
        area = str(AREAS[permission.partition(":")[0]])
        grouped.setdefault(area, {})[permission] = description
    return grouped


class Relation(models.TextChoices):
    """What a person is to one project or document."""

    OWNER = "owner", _("Owner")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


RELATION_GRANTS: dict[str, frozenset[str]] = {
    Relation.OWNER: frozenset({PROJECTS_READ, PROJECTS_WRITE, PROJECTS_DELETE, PROJECTS_SHARE}),
    Relation.EDITOR: frozenset({PROJECTS_READ, PROJECTS_WRITE}),
    Relation.VIEWER: frozenset({PROJECTS_READ}),
}
