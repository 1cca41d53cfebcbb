"""Invitations: an address, a role, a link that works once for seven days."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from apps.access.permissions import USERS_MANAGE
from apps.access.subjects import API_KEY, Subject
from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Actor
from apps.core import clocks
from apps.core.addresses import normalized_email
from apps.tenancy import outbox
from apps.tenancy.context import control, current_tenant_id
from apps.tenancy.transactions import atomic

from .. import subjects
from ..errors import AlreadyInvited, AlreadyMember, CredentialsRefused, InvitationNotFound, InvitationRefused
from ..models import ApiKey, Invitation, Membership, User
from ..roles import Assigned, check_may_give, may_give
from . import members, people
from .delegations import revoke_invitation

# What tells whether its sender may still send an invitation.
SENDER = ("sender__user", "sender__custom_role", "sender_key__maker__user", "sender_key__maker__custom_role")
INVITATION_REQUESTED = "accounts.invited"
SALT = "accounts.invitation"


@dataclass(frozen=True)
class Prospect:
    """Who opens an invitation's link: ``known`` people prove themselves with the password they have."""

    invitation: Invitation
    known: bool


def invite(*, actor: Subject, email: str, role: Assigned) -> Invitation:
    """Have an invitation mailed. Raises AlreadyMember, AlreadyInvited, BeyondOwnRights."""
    address = normalized_email(email)
    check_may_give(actor, role)
    try:
        with control("invite"), atomic():
            if Membership.objects.filter(tenant_id=actor.tenant_id, user__email=address).exists():
                raise AlreadyMember(field="email")
            _withdraw_expired(actor.tenant_id, address)
            invitation = Invitation(tenant_id=actor.tenant_id, email=address, **role.fields)
            _send(invitation, actor)
            changes = {"email": [None, address], "role": [None, invitation.role_name]}
            _record("invitation.created", actor, invitation, changes)
    except IntegrityError as error:
        raise AlreadyInvited(field="email") from error
    return invitation


def resend(*, actor: Subject, invitation_id: UUID) -> Invitation:
    """Mail a new link for seven more days, in the actor's name; the one before is void.

    Raises InvitationNotFound, BeyondOwnRights.
    """
    with control("resend an invitation"), atomic():
        invitation = _locked(actor.tenant_id, id=invitation_id)
        check_may_give(actor, Assigned.of(invitation))
        invitation.generation += 1
        _send(invitation, actor)
        _record("invitation.resent", actor, invitation, {})
    return invitation


def revoke(*, actor: Subject, invitation_id: UUID) -> None:
    """Raises InvitationNotFound, BeyondOwnRights."""
    with control("revoke an invitation"), atomic():
        invitation = _locked(actor.tenant_id, id=invitation_id)
        check_may_give(actor, Assigned.of(invitation))
        revoke_invitation(invitation, actor=actor)


def note_undeliverable(invitation: Invitation) -> None:
    """Tell those who look at the invitation that its mail can never arrive, unless it was sent again since."""
    with control("note an invitation that cannot be delivered"):
        Invitation.objects.filter(
            tenant_id=invitation.tenant_id, id=invitation.id, generation=invitation.generation
        ).update(undeliverable_at=timezone.now())


def make_token(invitation: Invitation) -> str:
    """The secret of the link, made anew whenever a mail is written, so that it need not be kept."""
    secret = f"{invitation.id}.{invitation.generation}"
    return f"{invitation.id.hex}.{salted_hmac(SALT, secret, algorithm='sha256').hexdigest()}"


def to_be_mailed(*, tenant_id: UUID, invitation_id: UUID, generation: int) -> Invitation | None:
    """An open invitation that was not sent again since, and still counts."""
    with control("mail an invitation"):
        rows = Invitation.objects.select_related("custom_role", *SENDER).filter(accepted_at=None, revoked_at=None)
        found = rows.filter(tenant_id=tenant_id, id=invitation_id, generation=generation).first()
    return found if found is not None and still_counts(found) else None


def open_invitation(token: str) -> Prospect:
    """What a link of the current organization leads to. Raises InvitationRefused."""
    tenant_id = current_tenant_id()
    with control("open an invitation"):
        invitation = _for_token(tenant_id, token)
        user = User.objects.filter(email=invitation.email).first()
        return Prospect(invitation, known=user is not None and people.is_verified(user))


def accept(*, token: str, password: str, name: str = "") -> Membership:
    """Become a member of the current organization. Raises InvitationRefused, CredentialsRefused, WeakPassword.

    The mail arrived, so the address is proved. Somebody whose address was proved before shows the password they
    have; anybody else sets one, which ends what a stranger may have set up under the address.
    """
    prospect = open_invitation(token)
    address = prospect.invitation.email
    if prospect.known:
        return _join(token, _proven(address, password), name)
    person = people.new_person(email=address, password=password)
    return _join(token, person, name)


def _proven(email: str, password: str) -> User:
    with control("accept an invitation"):
        user = User.objects.get(email=email)
    if not user.is_active or not user.check_password(password):
        raise CredentialsRefused(_("That is not the password of your account."), field="password")
    return user


def _join(token: str, person: User, name: str) -> Membership:
    tenant_id = current_tenant_id()
    with control("accept an invitation"), atomic():
        invitation = _for_token(tenant_id, token, lock=True)
        user = _settled(person)
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        _record("invitation.accepted", ANONYMOUS, invitation, {})
        return members.add_member(tenant_id=invitation.tenant_id, user=user, role=Assigned.of(invitation), name=name)


def _settled(person: User) -> User:
    """The person as saved and verified; the password of an unproved account of the same address is replaced."""
    if not person._state.adding:
        return person
    squatted = User.objects.select_for_update().filter(email=person.email).first()
    if squatted is None:
        return people.save_person(person, verified=True)
    if not squatted.is_active:
        raise InvitationRefused  # whoever was shut out is not let in by a mail
    squatted.password = person.password
    people.take_over(squatted)
    EmailAddress.objects.update_or_create(
        user=squatted, email=squatted.email, defaults={"verified": True, "primary": True}
    )
    return squatted


def _for_token(tenant_id: UUID, token: str, *, lock: bool = False) -> Invitation:
    rows = Invitation.objects.select_for_update(of=("self",)) if lock else Invitation.objects
    invitation = (
        rows.select_related("custom_role", *SENDER)
        .filter(
            tenant_id=tenant_id,
            token_hash=_hash(token),
            accepted_at=None,
            revoked_at=None,
            expires_at__gt=clocks.over(),
        )
        .first()
    )
    if invitation is None or not still_counts(invitation):
        raise InvitationRefused
    return invitation


def still_counts(invitation: Invitation) -> bool:
    """Whether whoever sent it, read with SENDER, may send it now."""
    sender = subjects.of_sender(invitation)
    return USERS_MANAGE in sender.permissions and may_give(sender, Assigned.of(invitation))


def _locked(tenant_id: UUID, **which: UUID) -> Invitation:
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("custom_role")
    invitation = rows.filter(tenant_id=tenant_id, accepted_at=None, revoked_at=None, **which).first()
    if invitation is None:
        raise InvitationNotFound
    return invitation


def _withdraw_expired(tenant_id: UUID, email: str) -> None:
    """An invitation that ran out does not stand in the way of a new one."""
    Invitation.objects.filter(
        tenant_id=tenant_id, email=email, accepted_at=None, revoked_at=None, expires_at__lte=clocks.over()
    ).update(revoked_at=timezone.now())


def _send(invitation: Invitation, actor: Subject) -> None:
    """Have it mailed in the name of the actor, or of the actor's maker."""
    invitation.invited_by_id, invitation.invited_by_key_id = actor.user_id, None
    if actor.type == API_KEY:
        key = ApiKey.objects.get(tenant_id=actor.tenant_id, id=actor.id)
        invitation.invited_by_id, invitation.invited_by_key_id = key.created_by_id, key.id
    invitation.token_hash = _hash(make_token(invitation))
    invitation.expires_at = timezone.now() + timedelta(days=settings.INVITATION_DAYS)
    invitation.undeliverable_at = None
    invitation.save()
    payload = {"invitation_id": str(invitation.id), "generation": invitation.generation}
    outbox.emit(INVITATION_REQUESTED, payload, tenant_id=invitation.tenant_id, lane=outbox.MAILS)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _record(action: str, actor: Actor, invitation: Invitation, changes: Mapping[str, Any]) -> None:
    audit.record(action, actor=actor, resource=invitation, tenant_id=invitation.tenant_id, changes=changes)
