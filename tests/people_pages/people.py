"""People, roles and invitations to look at."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import CustomRole, Invitation, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members, roles
from tests.support.clients import membership_of
from tests.support.factories import Organization, add_person

HTMX = {"HX-Request": "true"}


def make_role(organization: Organization, name: str = "Support", *permissions: str) -> CustomRole:
    return roles.create_role(actor=organization.subject, name=name, permissions=list(permissions))


def person_with(organization: Organization, role: CustomRole) -> User:
    """A member with a role of the organization's own."""
    user = add_person(organization)
    member = membership_of(organization, user)
    members.change_role(actor=organization.subject, member_id=member.id, role=Assigned("custom", role))
    return user


def invite(organization: Organization, email: str = "guest@example.com", role: str = "member") -> Invitation:
    return invitations.invite(actor=organization.subject, email=email, role=Assigned(role))


def role_of(organization: Organization, user: User | None = None) -> str:
    return membership_of(organization, user).role_name


def text(response: Any) -> str:
    return str(response.content.decode())
