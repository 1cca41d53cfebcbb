"""Writes about people across organizations: accounts, passwords, proof of an address."""

from __future__ import annotations

from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Actor, Thing
from apps.core.addresses import normalized_email
from apps.core.clocks import signed_within
from apps.tenancy import outbox
from apps.tenancy.context import TenantContext, control, current, current_tenant
from apps.tenancy.transactions import atomic
from apps.tenants.selectors import profile_of

from .. import passwords
from ..errors import (
    CredentialsRefused,
    EmailUnavailable,
    PasswordLinkRefused,
    PersonNotFound,
    VerificationRefused,
    WeakPassword,
    WrongPassword,
)
from ..models import Membership, User
from ..password_links import password_links
from ..selectors import find_member
from . import delegations, proofs, sessions

RESET_REQUESTED = "accounts.password_reset_requested"
VERIFICATION_REQUESTED = "accounts.verification_requested"
VERIFICATION_SALT = "accounts.verification"
TAKEN_OVER = "person.password_reset"
VERIFICATION_SECONDS = 3 * 24 * 3600


def identify_person(*, email: str, password: str, organization: str = "") -> User:
    """The known person if the password is theirs, else a new one who is not saved yet; needs the control plane.

    Hashing takes a tenth of a second: do this before a transaction. Raises WeakPassword, EmailUnavailable. A password
    that is not theirs is answered alike, and after as long, whether the person is known or not.
    """
    user = User.objects.filter(email=normalized_email(email)).first()
    if user is not None and user.check_password(password) and user.is_active:
        return user
    try:
        validate(password, user or User(email=normalized_email(email)), organization=organization)
    except WeakPassword:
        if user is None:
            User().check_password(password)
        raise
    if user is not None:
        raise EmailUnavailable(field="email")
    return new_person(email=email, password=password, organization=organization)


def new_person(*, email: str, password: str, organization: str = "") -> User:
    """A person who is not saved yet. Raises WeakPassword."""
    person = User(email=normalized_email(email))
    validate(password, person, organization=organization)
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
        take_over(user)
    return user


def take_over(person: User) -> None:
    """Save the password of who proved an address that somebody else had signed up with; what that one made ends."""
    store_password(person)
    audit.record(TAKEN_OVER, actor=ANONYMOUS, resource=person)
    delegations.end_everywhere(person, actor=ANONYMOUS, because=TAKEN_OVER)


def is_verified(user: User) -> bool:
    return EmailAddress.objects.filter(user=user, email=user.email, verified=True).exists()


def request_password_reset(*, email: str) -> None:
    """Have a link mailed to a member of the current organization; silent about anybody else.

    The same is written for whoever is none, or the time it takes would tell who is.
    """
    tenant_id = current_tenant().tenant_id
    with control("request a password reset"), atomic():
        members = Membership.objects.filter(
            tenant_id=tenant_id, user__email=normalized_email(email), user__is_active=True
        )
        membership_id, user_id = members.values_list("id", "user_id").first() or ("", "")
        outbox.emit(RESET_REQUESTED, {"user_id": str(user_id)}, tenant_id=tenant_id, lane=outbox.MAILS)
        whose = Thing(type="membership", id=str(membership_id))
        audit.record("password.reset_requested", actor=ANONYMOUS, resource=whose, tenant_id=tenant_id)


def make_password_token(person: User) -> str:
    """The proof in a link with which a person sets a password: once, within PASSWORD_RESET_TIMEOUT."""
    return password_links.make_token(person)


def set_password(*, user_id: UUID, token: str, password: str) -> User:
    """Set a member's password with the proof from their mail, which is spent by that. Their sessions end.

    Raises PasswordLinkRefused, WeakPassword. The mail arrived, so the address is theirs.
    """
    tenant_id = current_tenant().tenant_id
    member = find_member(user_id, tenant_id)
    if member is None or not password_links.check_token(member, token):
        raise PasswordLinkRefused
    validate(password, member)
    member.set_password(password)
    with control("set a password"), atomic():
        locked = User.objects.select_for_update().get(pk=member.pk)
        if not password_links.check_token(locked, token):
            raise PasswordLinkRefused  # somebody was faster with the same link
        locked.password = member.password
        store_password(locked)
        EmailAddress.objects.filter(user=member, email=member.email).update(verified=True)
        audit.record("password.set", actor=ANONYMOUS, resource=member, tenant_id=tenant_id)
    return locked


def change_password(*, user: User, old: str, new: str, actor: Actor) -> None:
    """Raises WrongPassword, WeakPassword. All sessions and tokens of the person end."""
    with control("check a password"):
        is_theirs = user.check_password(old)
    if not is_theirs:
        raise WrongPassword(field="old_password")
    validate(new, user, field="new_password")
    hashed, tenant_id = make_password(new), current_tenant().tenant_id
    with control("change a password"), atomic():
        try:
            proofs.held(user)
        except CredentialsRefused as error:
            raise WrongPassword(field="old_password") from error
        user.password = hashed
        store_password(user)
        audit.record("password.changed", actor=actor, resource=user, tenant_id=tenant_id)


def request_verification(*, user: User, actor: Actor) -> None:
    """Have a link mailed to the person that proves their address."""
    tenant_id = current_tenant().tenant_id
    with control("request a verification"), atomic():
        outbox.emit(VERIFICATION_REQUESTED, {"user_id": str(user.pk)}, tenant_id=tenant_id, lane=outbox.MAILS)
        audit.record("email.verification_requested", actor=actor, resource=user, tenant_id=tenant_id)


def make_verification_token(user: User) -> str:
    return signing.dumps([str(user.pk), user.email], salt=VERIFICATION_SALT)


def verify_email(*, user: User, token: str, actor: Actor) -> None:
    """Note that the signed-in person's address is theirs.

    The person must be signed in: whoever registered a stranger's address holds the password but not the mail,
    the stranger the mail but not the password. Raises VerificationRefused.
    """
    try:
        claim = signed_within(token, salt=VERIFICATION_SALT, seconds=VERIFICATION_SECONDS)
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


def validate(password: str, person: User, *, field: str = "password", organization: str = "") -> None:
    """Whether a password is long and hard to guess for whoever knows the person and the organization.

    That is the current one, or the one that is named. Raises WeakPassword.
    """
    try:
        validate_password(password, person)
        passwords.check(password, around=f"{person.email} {organization or _current_organization()}")
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field=field) from error


def _current_organization() -> str:
    context = current()
    return f"{profile_of(context.tenant_id).name} {context.slug}" if isinstance(context, TenantContext) else ""


def store_password(user: User) -> None:
    """Save a new password; whoever came in with the old one is out."""
    user.save(update_fields=["password"])
    sessions.end_everywhere(user)
