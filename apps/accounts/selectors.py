"""Reads about people; those of one organization run in its own context."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.tenancy.context import control

from .errors import InvitationNotFound, MemberNotFound, RoleNotFound
from .models import ApiKey, CustomRole, Invitation, Membership, Session, TokenFamily, User
from .permissions import GRANTS, ROLES_MANAGE, USERS_MANAGE, Role
from .subjects import Subject

GIVING = frozenset({USERS_MANAGE, ROLES_MANAGE})


def find_member(user_id: Any, tenant_id: UUID) -> User | None:
    """An active person with their membership in a tenant, or None; one query."""
    with control("authenticate"):
        membership = (
            Membership.objects.select_related("user", "custom_role")
            .filter(user_id=user_id, tenant_id=tenant_id, user__is_active=True)
            .first()
        )
    if membership is None:
        return None
    membership.user.membership = membership
    return membership.user


def find_person(user_id: Any) -> User | None:
    with control("authenticate"):
        return User.objects.filter(id=user_id, is_active=True).first()


def owners_of(tenant_id: UUID) -> list[Membership]:
    """The owners of an organization; in its own context or in the control plane."""
    return list(Membership.objects.filter(tenant_id=tenant_id, role=Role.OWNER).order_by("created_at"))


def memberships_of(user: User, *, tenant_id: UUID | None = None, organization: str = "") -> list[Membership]:
    """A person's memberships in organizations that are open, or in the one that is meant."""
    found = Q(tenant__status="ready")
    if tenant_id is not None:
        found &= Q(tenant_id=tenant_id)
    if organization:
        found &= Q(tenant_id=organization) if _is_uuid(organization) else Q(tenant__slug=organization)
    with control("find organizations"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role").filter(found, user=user)
        return list(rows.order_by("tenant__name", "tenant_id"))


def memberships_of_address(email: str) -> list[Membership]:
    with control("find organizations"):
        user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    return memberships_of(user) if user else []


def grantors_of(permission: str, tenant_id: UUID, limit: int) -> list[Membership]:
    """Members who can give a permission to others: nobody gives what they do not have themselves."""
    may_give = Q(custom_role__permissions__contains=USERS_MANAGE) | Q(custom_role__permissions__contains=ROLES_MANAGE)
    custom = may_give & Q(custom_role__permissions__contains=permission)
    roles = [role for role, granted in GRANTS.items() if permission in granted and GIVING & granted]
    return list(members_of(tenant_id).filter(custom | Q(role__in=roles)).order_by("created_at")[:limit])


def members_of(tenant_id: UUID) -> QuerySet[Membership]:
    return Membership.objects.select_related("custom_role").filter(tenant_id=tenant_id)


def get_member(tenant_id: UUID, member_id: UUID) -> Membership:
    """Raises MemberNotFound."""
    membership = members_of(tenant_id).filter(id=member_id).first()
    if membership is None:
        raise MemberNotFound
    return membership


def own_membership(subject: Subject) -> Membership:
    """Raises MemberNotFound for a program's key."""
    membership = members_of(subject.tenant_id).filter(user_id=subject.person_id).first()
    if membership is None:
        raise MemberNotFound("An API key is nobody's profile.")
    return membership


def names_of(tenant_id: UUID, user_ids: set[UUID]) -> dict[UUID, str]:
    """What the organization calls these people; those who left are missing."""
    rows = Membership.objects.filter(tenant_id=tenant_id, user_id__in=user_ids)
    return {user_id: name or email for user_id, name, email in rows.values_list("user_id", "name", "email")}


def open_invitations(tenant_id: UUID) -> QuerySet[Invitation]:
    rows = Invitation.objects.select_related("custom_role")
    return rows.filter(tenant_id=tenant_id, accepted_at=None, revoked_at=None)


def get_invitation(tenant_id: UUID, invitation_id: UUID) -> Invitation:
    """Raises InvitationNotFound."""
    invitation = open_invitations(tenant_id).filter(id=invitation_id).first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def roles_of(tenant_id: UUID) -> QuerySet[CustomRole]:
    return CustomRole.objects.filter(tenant_id=tenant_id)


def get_role(tenant_id: UUID, role_id: UUID) -> CustomRole:
    """Raises RoleNotFound."""
    role = roles_of(tenant_id).filter(id=role_id).first()
    if role is None:
        raise RoleNotFound
    return role


def api_keys_of(tenant_id: UUID) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(tenant_id=tenant_id, revoked_at=None)


@dataclass(frozen=True)
class SignedIn:
    """One place where a person is signed in."""

    id: UUID
    kind: str
    ip: str | None
    user_agent: str
    created_at: datetime.datetime
    expires_at: datetime.datetime
    is_current: bool


def sessions_of(subject: Subject, session_key: str) -> list[SignedIn]:
    """Where the person is signed in to this organization, newest first.

    The current one is that of the subject's token, or else that of the browser with the session key.
    """
    current_key = "" if subject.session_id else session_key
    now, own = timezone.now(), {"tenant_id": subject.tenant_id, "user_id": subject.person_id}
    with control("list sessions"):
        browsers = [
            SignedIn(s.id, "browser", s.ip, s.user_agent, s.created_at, s.expire_date, s.session_key == current_key)
            for s in Session.objects.filter(**own, expire_date__gt=now)
        ]
        clients = [
            SignedIn(f.id, "client", f.ip, f.user_agent, f.created_at, f.expires_at, str(f.id) == subject.session_id)
            for f in TokenFamily.objects.filter(**own, revoked_at=None, expires_at__gt=now)
        ]
    return sorted([*browsers, *clients], key=lambda found: found.created_at, reverse=True)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
