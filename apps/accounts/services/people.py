"""Writes about people across organizations: accounts, passwords, proof of an address."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Actor
from apps.core.text import normalized_email
from apps.tenancy import outbox
from apps.tenancy.context import control, current_tenant
from apps.tenancy.transactions import atomic

from ..errors import (
    EmailUnavailable,
    PasswordLinkRefused,
    PersonNotFound,
    VerificationRefused,
    WeakPassword,
    WrongPassword,
)
from ..models import Membership, User
from ..selectors import find_member
from . import sessions

RESET_REQUESTED = "accounts.password_reset_requested"
VERIFICATION_REQUESTED = "accounts.verification_requested"
VERIFICATION_SALT = "accounts.verification"
VERIFICATION_SECONDS = 3 * 24 * 3600


def identify_person(*, email: str, password: str) -> User:
    """The known person if the password is theirs, else a new one who is not saved yet; needs the control plane.

    Hashing takes a tenth of a second: do this before a transaction. Raises WeakPassword, EmailUnavailable.
    """
    user = User.objects.filter(email=normalized_email(email)).first()
    if user is not None:
        if not user.check_password(password) or not user.is_active:
            raise EmailUnavailable(field="email")
        return user
    return new_person(email=email, password=password)


def new_person(*, email: str, password: str) -> User:
    """A person who is not saved yet. Raises WeakPassword."""
    person = User(email=normalized_email(email))
    validate(password, person)
    person.set_password(password)
    return person


def save_person(person: User, *, verified: bool = False) -> User:
    """Insert a new person, in the caller's control-plane transaction. Raises EmailUnavailable."""
    if not person._state.adding:
        return person
    try:
        with atomic():
            person.save(force_insert=True)
    except IntegrityError as error:
        raise EmailUnavailable(field="email") from error
    EmailAddress.objects.create(user=person, email=person.email, primary=True, verified=verified)
    audit.record("person.created", actor=ANONYMOUS, resource=person)
    return person


def invite_person(*, email: str) -> User:
    """A person by address, without a password if new, in the caller's control-plane transaction.

    Whoever signed up with the address before it was verified may not be its owner: their password and with it
    their sessions end here, or they would walk into the organization that is created for the real one.
    """
    user = User.objects.filter(email=normalized_email(email)).first()
    if user is None:
        person = User(email=normalized_email(email))
        person.set_unusable_password()
        return save_person(person)
    if not is_verified(user):
        user.set_unusable_password()
        store_password(user)
        audit.record("person.password_reset", actor=ANONYMOUS, resource=user)
    return user


def is_verified(user: User) -> bool:
    return EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()


def request_password_reset(*, email: str) -> None:
    """Have a link mailed to a member of the current organization; silent about anybody else."""
    tenant = current_tenant()
    with control("request a password reset"), atomic():
        membership = Membership.objects.filter(
            tenant_id=tenant.tenant_id, user__email=normalized_email(email), user__is_active=True
        ).first()
        if membership is not None:
            outbox.emit(RESET_REQUESTED, {"user_id": str(membership.user_id)}, tenant_id=tenant.tenant_id)
            audit.record("password.reset_requested", actor=ANONYMOUS, resource=membership, tenant_id=tenant.tenant_id)


def make_password_token(person: User) -> str:
    """The proof in a link with which a person sets a password: once, within PASSWORD_RESET_TIMEOUT."""
    return default_token_generator.make_token(person)


def set_password(*, user_id: UUID, token: str, password: str) -> None:
    """Set a member's password with the proof from their mail, which is spent by that. Their sessions end.

    Raises PasswordLinkRefused, WeakPassword. The mail arrived, so the address is theirs.
    """
    tenant_id = current_tenant().tenant_id
    member = find_member(user_id, tenant_id)
    if member is None or not default_token_generator.check_token(member, token):
        raise PasswordLinkRefused
    validate(password, member)
    hashed = make_password(password)
    with control("set a password"), atomic():
        locked = User.objects.select_for_update().get(pk=member.pk)
        if not default_token_generator.check_token(locked, token):
            raise PasswordLinkRefused  # somebody was faster with the same link
        locked.password = hashed
        store_password(locked)
        EmailAddress.objects.filter(user=member, email=member.email).update(verified=True)
        audit.record("password.set", actor=ANONYMOUS, resource=member, tenant_id=tenant_id)


def change_password(*, user: User, old: str, new: str, actor: Actor) -> None:
    """Raises WrongPassword, WeakPassword. All sessions and tokens of the person end."""
    if not user.check_password(old):
        raise WrongPassword(field="old_password")
    validate(new, user, field="new_password")
    user.set_password(new)
    tenant_id = current_tenant().tenant_id
    with control("change a password"), atomic():
        store_password(user)
        audit.record("password.changed", actor=actor, resource=user, tenant_id=tenant_id)


def request_verification(*, user: User, actor: Actor) -> None:
    """Have a link mailed to the person that proves their address."""
    tenant_id = current_tenant().tenant_id
    with control("request a verification"), atomic():
        outbox.emit(VERIFICATION_REQUESTED, {"user_id": str(user.pk)}, tenant_id=tenant_id)
        audit.record("email.verification_requested", actor=actor, resource=user, tenant_id=tenant_id)


def make_verification_token(user: User) -> str:
    return signing.dumps([str(user.pk), user.email], salt=VERIFICATION_SALT)


def verify_email(*, user: User, token: str, actor: Actor) -> None:
    """Note that the signed-in person's address is theirs.

    The person must be signed in: whoever registered a stranger's address holds the password but not the mail,
    the stranger the mail but not the password. Raises VerificationRefused.
    """
    try:
        claim = signing.loads(token, salt=VERIFICATION_SALT, max_age=VERIFICATION_SECONDS)
    except signing.BadSignature as error:
        raise VerificationRefused from error
    if claim != [str(user.pk), user.email]:
        raise VerificationRefused
    tenant_id = current_tenant().tenant_id
    with control("verify an address"), atomic():
        EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)
        audit.record("email.verified", actor=actor, resource=user, tenant_id=tenant_id)


def set_active(*, email: str, is_active: bool, actor: Actor) -> User:
    """Shut somebody out of every organization, or let them in again. Raises PersonNotFound.

    Their sessions, tokens and codes end; keys that they made and invitations that they sent rest until they are back.
    """
    with control("deactivate a person"), atomic():
        person = User.objects.select_for_update().filter(email=normalized_email(email)).first()
        if person is None:
            raise PersonNotFound
        if person.is_active != is_active:
            person.is_active = is_active
            person.save(update_fields=["is_active"])
            sessions.end_everywhere(person)
            action = "person.reactivated" if is_active else "person.deactivated"
            audit.record(action, actor=actor, resource=person, changes={"is_active": [not is_active, is_active]})
    return person


def validate(password: str, person: User, *, field: str = "password") -> None:
    """Raises WeakPassword."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field=field) from error


def store_password(user: User) -> None:
    """Save a new password; whoever came in with the old one is out."""
    user.save(update_fields=["password"])
    sessions.end_everywhere(user)
