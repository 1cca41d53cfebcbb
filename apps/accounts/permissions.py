"""What each role, and each relation to a single thing, allows."""

from __future__ import annotations

from django.db import models

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

DESCRIPTIONS: dict[str, str] = {
    PROJECTS_READ: "See the organization's projects and documents",
    PROJECTS_WRITE: "Create and change projects and documents",
    PROJECTS_DELETE: "Delete projects",
    PROJECTS_SHARE: "Share projects and documents with single members",
    BILLING_VIEW: "See subscription and invoices",
    BILLING_MANAGE: "Change subscription and payment method",
    USERS_MANAGE: "Invite, change and remove members",
    ROLES_MANAGE: "Make and change the organization's own roles",
    KEYS_MANAGE: "Make and revoke API keys",
    SETTINGS_MANAGE: "Change name, branding and settings",
    SSO_MANAGE: "Set up single sign-on",
    FLAGS_MANAGE: "Turn features on and off",
    AUDIT_VIEW: "Read and export the audit log",
    ANALYTICS_VIEW: "See usage and figures",
    INTEGRATIONS_MANAGE: "Connect other services",
}
ALL = frozenset(DESCRIPTIONS)

# What the part before the colon is about.
AREAS: dict[str, str] = {
    "projects": "Projects",
    "billing": "Billing",
    "users": "Members",
    "roles": "Roles",
    "keys": "API keys",
    "settings": "Settings",
    "sso": "Single sign-on",
    "flags": "Features",
    "audit": "Audit log",
    "analytics": "Analytics",
    "integrations": "Integrations",
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
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    CUSTOM = "custom"


GRANTS: dict[str, frozenset[str]] = {
    Role.OWNER: ALL,
    Role.ADMIN: ALL - {BILLING_MANAGE, INTEGRATIONS_MANAGE},
    Role.MEMBER: frozenset({PROJECTS_READ, PROJECTS_WRITE, ANALYTICS_VIEW}),
    Role.VIEWER: frozenset({PROJECTS_READ}),
    Role.CUSTOM: frozenset(),  # the custom role itself says
}


def by_area() -> dict[str, dict[str, str]]:
    """The permissions with their descriptions, under the name of what they are about."""
    grouped: dict[str, dict[str, str]] = {}
    for permission, description in DESCRIPTIONS.items():
        area = AREAS[permission.partition(":")[0]]
        grouped.setdefault(area, {})[permission] = description
    return grouped


class Relation(models.TextChoices):
    """What a person is to one project or document."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


RELATION_GRANTS: dict[str, frozenset[str]] = {
    Relation.OWNER: frozenset({PROJECTS_READ, PROJECTS_WRITE, PROJECTS_DELETE, PROJECTS_SHARE}),
    Relation.EDITOR: frozenset({PROJECTS_READ, PROJECTS_WRITE}),
    Relation.VIEWER: frozenset({PROJECTS_READ}),
}
