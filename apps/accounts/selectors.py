"""Reads about people; those of one organization run in its own context."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Lower, NullIf
from django.utils import timezone

from apps.access.decisions import check
from apps.access.permissions import GRANTS, MEMBER, ROLES_MANAGE, USERS_MANAGE, Role
from apps.access.subjects import API_KEY, USER, Subject
from apps.audit.selectors import AuditEntry
from apps.core.addresses import normalized_email
from apps.tenancy.context import control

from .devices import device
from .errors import ApiKeyNotFound, InvitationNotFound, MemberNotFound, RoleNotFound, SessionNotFound
from .models import ApiKey, CustomRole, Invitation, Membership, Session, SupportVisit, TokenFamily, User
from .roles import BUILT_IN, Assigned, may_give

MAY_VISIT = Q(user__is_active=True, user__is_staff=True, user__is_superuser=True)
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


def person_of_address(address: str) -> User | None:
    with control("find a person"):
        return User.objects.filter(email=normalized_email(address), is_active=True).first()


def find_visit(visit_id: Any, tenant_id: UUID) -> SupportVisit | None:
    """A support visit that is going on, of somebody who still may; one query."""
    with control("authenticate a visit"):
        visits = SupportVisit.objects.select_related("user").filter(id=visit_id, tenant_id=tenant_id)
        return visits.filter(MAY_VISIT, started_at__isnull=False, ended_at=None, expires_at__gt=timezone.now()).first()


def owners_of(tenant_id: UUID) -> list[Membership]:
    """The owners of an organization; in its own context or in the control plane."""
    return list(Membership.objects.filter(tenant_id=tenant_id, role=Role.OWNER).order_by("created_at"))


def memberships_of(user: User, *, tenant_id: UUID | None = None, organization: str = "") -> list[Membership]:
    """A person's memberships in organizations that are ready, on hold or not, or in the one that is meant."""
    found = Q(tenant__status="ready")
    if tenant_id is not None:
        found &= Q(tenant_id=tenant_id)
    if organization:
        found &= Q(tenant_id=organization) if _is_uuid(organization) else Q(tenant__slug=organization)
    with control("find organizations"):
        rows = Membership.objects.select_related("tenant", "custom_role").filter(found, user=user)
        memberships = list(rows.order_by("tenant__name", "tenant_id"))
    for membership in memberships:
        membership.user = user  # as they were when they proved who they are
    return memberships


def memberships_of_address(email: str) -> list[Membership]:
    user = person_of_address(email)
    return memberships_of(user) if user else []


def grantors_of(permission: str, tenant_id: UUID, limit: int) -> list[Membership]:
    """Members who can give a permission to others: nobody gives what they do not have themselves."""
    may_give = Q(custom_role__permissions__contains=USERS_MANAGE) | Q(custom_role__permissions__contains=ROLES_MANAGE)
    custom = may_give & Q(custom_role__permissions__contains=permission)
    roles = [role for role, granted in GRANTS.items() if permission in granted and GIVING & granted]
    return list(members_of(tenant_id).filter(custom | Q(role__in=roles)).order_by("created_at")[:limit])


def members_of(tenant_id: UUID) -> QuerySet[Membership]:
    return Membership.objects.select_related("custom_role").filter(tenant_id=tenant_id)


def search_members(tenant_id: UUID, text: str) -> QuerySet[Membership]:
    """The members whose name or address has the text in it, by what they are called."""
    called = Lower(Coalesce(NullIf("name", Value("")), "email"))
    matching = Q(name__icontains=text) | Q(email__icontains=text)
    return members_of(tenant_id).filter(matching).order_by(called, "id")


def members_meant(tenant_id: UUID, text: str, *, limit: int) -> list[Membership]:
    """The members with this name, address or id, or else those with the text in their name or address."""
    meant = Q(name__iexact=text) | Q(email__iexact=text)
    if _is_uuid(text):
        meant |= Q(user_id=text)
    return list(members_of(tenant_id).filter(meant).order_by("email")[:limit]) or list(
        search_members(tenant_id, text)[:limit]
    )


def get_member(subject: Subject, member_id: UUID) -> Membership:
    """Raises MemberNotFound."""
    membership = members_of(subject.tenant_id).filter(id=member_id).first()
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


def actor_names(tenant_id: UUID, entries: Iterable[AuditEntry]) -> dict[str, str]:
    """What the organization calls the people and programs of the entries, by id; who is gone is missing."""
    ids: dict[str, set[UUID]] = {USER: set(), API_KEY: set()}
    for entry in entries:
        if entry.actor_type in ids:
            ids[entry.actor_type].add(UUID(entry.actor_id))
    named = dict(names_of(tenant_id, ids[USER])) if ids[USER] else {}
    if ids[API_KEY]:
        named |= ApiKey.objects.filter(tenant_id=tenant_id, id__in=ids[API_KEY]).values_list("id", "name")
    return {str(actor_id): name for actor_id, name in named.items()}


def open_invitations(tenant_id: UUID) -> QuerySet[Invitation]:
    rows = Invitation.objects.select_related("custom_role")
    return rows.filter(tenant_id=tenant_id, accepted_at=None, revoked_at=None)


def get_invitation(subject: Subject, invitation_id: UUID) -> Invitation:
    """Raises InvitationNotFound."""
    invitation = open_invitations(subject.tenant_id).filter(id=invitation_id).first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def roles_of(tenant_id: UUID) -> QuerySet[CustomRole]:
    return CustomRole.objects.filter(tenant_id=tenant_id)


def get_role(subject: Subject, role_id: UUID) -> CustomRole:
    """Raises RoleNotFound."""
    role = roles_of(subject.tenant_id).filter(id=role_id).first()
    if role is None:
        raise RoleNotFound
    return role


@dataclass(frozen=True)
class RoleInfo:
    """A role, and how many members hold it; ``custom_role`` is None for the built-in ones."""

    label: str
    permissions: frozenset[str]
    people: int
    custom_role: CustomRole | None = None


def all_roles(tenant_id: UUID) -> list[RoleInfo]:
    """The built-in roles, then the organization's own by name; two queries."""
    holders = Membership.objects.filter(tenant_id=tenant_id).values_list("role", "custom_role_id").order_by()
    people = {custom or role: count for role, custom, count in holders.annotate(count=Count("id"))}
    built_in = [RoleInfo(str(role.label), GRANTS[role], people.get(role, 0)) for role in BUILT_IN]
    own = roles_of(tenant_id).order_by(Lower("name"))
    return built_in + [RoleInfo(r.name, frozenset(r.permissions), people.get(r.id, 0), r) for r in own]


def roles_to_give(subject: Subject) -> list[tuple[str, str]]:
    """The roles that somebody may give to others, as choices of a form."""
    own = roles_of(subject.tenant_id).order_by(Lower("name"))
    found = [(Assigned(role), str(role), str(role.label)) for role in BUILT_IN]
    found += [(Assigned(Role.CUSTOM, role), str(role.id), role.name) for role in own]
    return [(key, label) for role, key, label in found if may_give(subject, role)]


def api_keys_of(tenant_id: UUID) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(tenant_id=tenant_id, revoked_at=None)


def has_keys(person: User, tenant_id: UUID) -> bool:
    """Whether keys that somebody made for an organization are in use."""
    with control("look for keys"):
        return api_keys_of(tenant_id).filter(created_by_id=person.pk).exists()


def find_api_key(subject: Subject, key_id: UUID) -> ApiKey:
    """Raises ApiKeyNotFound."""
    key = api_keys_of(subject.tenant_id).filter(id=key_id).first()
    if key is None:
        raise ApiKeyNotFound
    return key


@dataclass(frozen=True)
class HandedOn:
    """What of a member's power others hold: keys for programs, invitations that nobody has accepted yet."""

    keys: list[ApiKey]
    invitations: list[Invitation]

    def __bool__(self) -> bool:
        return bool(self.keys or self.invitations)


def handed_on_by(member: Membership) -> HandedOn:
    keys = api_keys_of(member.tenant_id).filter(created_by_id=member.user_id).order_by("name", "id")
    sent = open_invitations(member.tenant_id).filter(invited_by_id=member.user_id).order_by("email")
    return HandedOn(list(keys), list(sent))


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

    @property
    def device(self) -> str:
        return device(self.user_agent)


def find_session(subject: Subject, session_id: UUID) -> Session | TokenFamily:
    """One of the person's own sessions here, of a browser or a program. Raises SessionNotFound, MissingPermission."""
    check(subject, MEMBER)  # before it is looked for: whoever is no person has none
    own = {"tenant_id": subject.tenant_id, "user_id": subject.person_id, "id": session_id}
    with control("find a session"):
        browser = Session.objects.filter(**own).first()
        found = browser or TokenFamily.objects.filter(**own, revoked_at=None).first()
    if found is None:
        raise SessionNotFound
    return found


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
