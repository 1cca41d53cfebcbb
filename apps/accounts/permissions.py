"""What each role may do in its organization."""

from __future__ import annotations

from django.db import models

PROJECTS_READ = "projects:read"
PROJECTS_WRITE = "projects:write"
PROJECTS_DELETE = "projects:delete"
BILLING_VIEW = "billing:view"
BILLING_MANAGE = "billing:manage"
USERS_MANAGE = "users:manage"
ANALYTICS_VIEW = "analytics:view"
INTEGRATIONS_MANAGE = "integrations:manage"

ALL = frozenset(
    {
        PROJECTS_READ,
        PROJECTS_WRITE,
        PROJECTS_DELETE,
        BILLING_VIEW,
        BILLING_MANAGE,
        USERS_MANAGE,
        ANALYTICS_VIEW,
        INTEGRATIONS_MANAGE,
    }
)


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


GRANTS: dict[str, frozenset[str]] = {
    Role.OWNER: ALL,
    Role.ADMIN: ALL - {BILLING_MANAGE, INTEGRATIONS_MANAGE},
    Role.MEMBER: frozenset({PROJECTS_READ, PROJECTS_WRITE, ANALYTICS_VIEW}),
    Role.VIEWER: frozenset({PROJECTS_READ}),
}


def allows(role: str, permission: str) -> bool:
    return permission in GRANTS.get(role, frozenset())
