"""Signing in by API, and whether a token works."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.roles import Assigned
from apps.accounts.services import members
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests.support.clients import ME, Program, membership_of
from tests.support.factories import Organization

LOGIN, REFRESH, LOGOUT, VALIDATE = "auth/login", "auth/refresh", "auth/logout", "auth/validate"

JWKS = "/.well-known/jwks.json"


def works(organization: Organization, access: str) -> bool:
    status = Program(organization.host, access).get(ME).status_code
    assert status in (200, 401)
    return bool(status == 200)


def join(organization: Organization, user: User) -> None:
    with control("join"), atomic():
        members.add_member(tenant_id=organization.tenant.id, user=user)


def change_role(organization: Organization, person: User, role: str) -> None:
    found = membership_of(organization, person)
    members.change_role(actor=organization.subject, member_id=found.id, role=Assigned(role))
