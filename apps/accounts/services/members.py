"""Who is a member of an organization, and in which role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.access.permissions import Role
from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Actor
from apps.audit.services import difference, state
from apps.core.preconditions import check_unchanged
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock

from .. import revocation
from ..errors import AlreadyMember, BeyondOwnRights, LastOwner, MemberNotFound
from ..models import Membership, User
from ..roles import Assigned, check_may_give
from . import delegations, sessions

MEMBERSHIP_ENDED = "accounts.membership_ended"
PROFILE = ("name", "locale", "time_zone")


def add_member(
    *, tenant_id: UUID, user: User, role: Assigned | None = None, name: str = "", actor: Actor = ANONYMOUS
) -> Membership:
    """Make a person a member, in the caller's control-plane transaction. Raises AlreadyMember."""
    assigned = role or Assigned(Role.MEMBER)
    try:
        with atomic():
            membership = Membership.objects.create(
                tenant_id=tenant_id, user=user, name=name, email=user.email, **assigned.fields
            )
    except IntegrityError as error:
        raise AlreadyMember(field="email") from error
    changes = {"email": [None, user.email], "role": [None, membership.role_name]}
    audit.record("member.added", actor=actor, resource=membership, tenant_id=tenant_id, changes=changes)
    return membership


def change_role(*, actor: Subject, member_id: UUID, role: Assigned, expected: str = "") -> Membership:
    """Give a member another role; it holds from their next request.

    Raises MemberNotFound, PreconditionFailed, BeyondOwnRights, LastOwner.
    """
    with control("change a role"), atomic():
        membership = _locked(actor.tenant_id, member_id)
        check_unchanged(membership, expected)
        check_may_give(actor, Assigned.of(membership), role)
        if membership.role == Role.OWNER and role.role != Role.OWNER:
            _check_not_last_owner(membership)
        if role != Assigned.of(membership):
            before = membership.role_name
            for field, value in role.fields.items():
                setattr(membership, field, value)
            _save_rights(membership)
            changes = {"role": [before, membership.role_name]}
            _record("member.role_changed", actor, membership, changes)
    return membership


def update_profile(*, actor: Subject, member_id: UUID, expected: str = "", **profile: str) -> Membership:
    """Change the name, locale or time zone that the organization knows a member by.

    Raises MemberNotFound, PreconditionFailed.
    """
    with control("update a profile"), atomic():
        membership = _locked(actor.tenant_id, member_id)
        check_unchanged(membership, expected)
        before = state(membership, *PROFILE)
        for field in PROFILE:
            setattr(membership, field, profile.get(field, before[field]))
        changes = difference(before, state(membership, *PROFILE))
        if changes:
            membership.save(update_fields=[*PROFILE, "updated_at"])
            _record("member.updated", actor, membership, changes)
    return membership


def remove_member(*, actor: Subject, member_id: UUID, expected: str = "") -> None:
    """Raises MemberNotFound, PreconditionFailed, BeyondOwnRights, LastOwner.

    Sessions and tokens here end with the membership, and the keys and invitations that they have handed on.
    """
    with control("remove a member"), atomic():
        membership = _locked(actor.tenant_id, member_id)
        check_unchanged(membership, expected)
        check_may_give(actor, Assigned.of(membership))
        _remove(membership, actor, "member.removed")


def leave(*, actor: Subject) -> None:
    """Give up one's own membership. Raises MemberNotFound, LastOwner."""
    with control("leave"), atomic():
        own = Membership.objects.filter(tenant_id=actor.tenant_id, user_id=actor.person_id).first()
        if own is None:
            raise MemberNotFound
        _remove(_locked(actor.tenant_id, own.id), actor, "member.left")


def transfer_ownership(*, actor: Subject, member_id: UUID, expected: str = "") -> Membership:
    """Make another member the owner in one's place and become an admin, both or neither.

    Raises MemberNotFound, PreconditionFailed, BeyondOwnRights.
    """
    with control("transfer ownership"), atomic():
        heir = _locked(actor.tenant_id, member_id)
        check_unchanged(heir, expected)
        if not heir.user.is_active:
            raise MemberNotFound
        own = Membership.objects.filter(tenant_id=actor.tenant_id, user_id=actor.person_id).first()
        if own is None or own.role != Role.OWNER:
            raise BeyondOwnRights(_("Only an owner can transfer ownership."))
        if heir.id != own.id:
            before, given_up = heir.role_name, own.role_name
            heir.role, heir.custom_role, own.role = Role.OWNER, None, Role.ADMIN
            _save_rights(heir)
            _save_rights(own)
            _record("member.ownership_transferred", actor, heir, {"role": [before, heir.role_name]})
            _record("member.role_changed", actor, own, {"role": [given_up, own.role_name]})
    return heir


def void_rights_of_role(role_id: UUID, tenant_id: UUID) -> None:
    """A custom role has changed: the tokens of all who hold it are void. In the caller's transaction."""
    holders = Membership.objects.select_related("custom_role").filter(tenant_id=tenant_id, custom_role_id=role_id)
    holders.update(version=F("version") + 1)
    for membership in holders:
        revocation.publish_member(membership)


def _locked(tenant_id: UUID, member_id: UUID) -> Membership:
    """The membership; one change of members at a time, or two owners could remove each other."""
    lock(f"members {tenant_id}")
    membership = Membership.objects.select_related("custom_role").filter(tenant_id=tenant_id, id=member_id).first()
    if membership is None:
        raise MemberNotFound
    return membership


def _check_not_last_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(tenant_id=membership.tenant_id, role=Role.OWNER, user__is_active=True)
    if not owners.exclude(id=membership.id).exists():
        raise LastOwner(field="role")


def _save_rights(membership: Membership) -> None:
    Membership.objects.filter(id=membership.id).update(version=F("version") + 1)
    membership.save(update_fields=["role", "custom_role", "updated_at"])
    membership.refresh_from_db(fields=["version"])
    revocation.publish_member(membership)


def _remove(membership: Membership, actor: Subject, action: str) -> None:
    if membership.role == Role.OWNER:
        _check_not_last_owner(membership)
    changes = {"email": [membership.email, None], "role": [membership.role_name, None]}
    _record(action, actor, membership, changes)
    delegations.end_all(membership, actor=actor, because=action)
    sessions.end_all(tenant_id=membership.tenant_id, user_id=membership.user_id)
    revocation.publish_removal(membership)
    payload = {"user_id": str(membership.user_id), "before": timezone.now().isoformat()}
    outbox.emit(MEMBERSHIP_ENDED, payload, tenant_id=membership.tenant_id)
    Membership.objects.filter(id=membership.id).delete()


def _record(action: str, actor: Actor, membership: Membership, changes: Mapping[str, Any]) -> None:
    audit.record(action, actor=actor, resource=membership, tenant_id=membership.tenant_id, changes=changes)
