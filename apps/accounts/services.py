"""Writes about people: accounts, memberships, the hand-over of a session."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone

from apps.tenancy.context import TenantContext, control, current_tenant
from apps.tenancy.transactions import atomic

from .errors import EmailUnavailable, HandoffRefused, PasswordLinkRefused, WeakPassword
from .models import HandoffCode, Membership, User
from .permissions import Role
from .selectors import find_member


def identify_person(*, email: str, password: str) -> User:
    """The known person if the password is theirs, else a new one who is not saved yet; needs the control plane.

    Hashing takes a tenth of a second: do this before a transaction. Raises WeakPassword, EmailUnavailable.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is not None:
        if not user.check_password(password) or not user.is_active:
            raise EmailUnavailable(field="email")
        return user
    person = User(email=email.strip().lower())
    _validate(password, person)
    person.set_password(password)
    return person


def save_person(person: User) -> User:
    """Insert a new person, in the caller's control-plane transaction. Raises EmailUnavailable."""
    if not person._state.adding:
        return person
    try:
        with atomic():
            person.save(force_insert=True)
    except IntegrityError as error:
        raise EmailUnavailable(field="email") from error
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=False)
    return person


def invite_person(*, email: str) -> User:
    """A person by address, without a password if new, in the caller's control-plane transaction.

    Whoever signed up with the address before it was verified may not be its owner: their password and with it
    their sessions end here, or they would walk into the organization that is founded for the real one.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        person = User(email=email.strip().lower())
        person.set_unusable_password()
        return save_person(person)
    if not EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists():
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def add_member(*, tenant_id: UUID, user: User, role: str = Role.MEMBER, name: str = "") -> Membership:
    """Make a person a member, in the caller's control-plane transaction."""
    return Membership.objects.create(tenant_id=tenant_id, user=user, role=role, name=name, email=user.email)


def make_password_token(person: User) -> str:
    """The proof in a link with which a person sets a password: once, within PASSWORD_RESET_TIMEOUT."""
    return default_token_generator.make_token(person)


def set_password(*, user_id: UUID, token: str, password: str) -> None:
    """Set a member's password with the proof from their mail, which is spent by that. Their sessions end.

    Raises PasswordLinkRefused, WeakPassword. The mail arrived, so the address is theirs.
    """
    member = find_member(user_id, current_tenant().tenant_id)
    if member is None or not default_token_generator.check_token(member, token):
        raise PasswordLinkRefused
    _validate(password, member)
    member.set_password(password)
    with control("set a password"), atomic():
        member.save(update_fields=["password"])
        EmailAddress.objects.filter(user=member, email=member.email).update(verified=True)


def issue_handoff_code(*, tenant_id: UUID, user_id: UUID) -> str:
    """A code that signs the person in on the tenant's host, once, within HANDOFF_SECONDS."""
    code = secrets.token_urlsafe(32)
    expires_at = timezone.now() + timedelta(seconds=settings.HANDOFF_SECONDS)
    with control("hand over a session"), atomic():
        HandoffCode.objects.create(tenant_id=tenant_id, user_id=user_id, code_hash=_hash(code), expires_at=expires_at)
    return code


def redeem_handoff_code(*, code: str) -> User:
    """The person whom a code of this tenant signs in; it is spent by that. Raises HandoffRefused."""
    tenant: TenantContext = current_tenant()
    now = timezone.now()
    open_codes = HandoffCode.objects.filter(
        tenant_id=tenant.tenant_id, code_hash=_hash(code), used_at__isnull=True, expires_at__gt=now
    )
    with atomic():
        if not open_codes.update(used_at=now):
            raise HandoffRefused
        user_id = HandoffCode.objects.values_list("user_id", flat=True).get(code_hash=_hash(code))
    with control("hand over a session"):
        membership = Membership.objects.select_related("user").filter(tenant_id=tenant.tenant_id, user_id=user_id)
        member = membership.first()
    if member is None or not member.user.is_active:
        raise HandoffRefused
    return member.user


def _validate(password: str, person: User) -> None:
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from error


def clear_expired_codes() -> None:
    with control("clear expired codes"):
        HandoffCode.objects.filter(expires_at__lt=timezone.now()).delete()


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
