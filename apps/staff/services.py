"""Who runs the platform: made, dismissed, signed in and out."""

from __future__ import annotations

from apps.accounts.models import User
from apps.accounts.services import people, sessions, visits
from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.audit.services import difference, state
from apps.core.addresses import normalized_email
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .errors import NoStaff

RIGHTS = ("is_staff", "is_superuser")


def staff_actor(user: User) -> Actor:
    return Actor(type="staff", id=str(user.pk))


def appoint(*, email: str, password: str, is_superuser: bool, actor: Actor) -> User:
    """Make somebody staff, known here before or not. The password becomes theirs, which ends all their sessions.

    Raises WeakPassword.
    """
    with control("appoint staff"):
        known = User.objects.filter(email=normalized_email(email)).first()
    person = known or User(email=normalized_email(email))
    people.validate(password, person)
    person.set_password(password)
    before = state(person, *RIGHTS)
    person.is_staff, person.is_superuser = True, is_superuser
    with control("appoint staff"), atomic():
        people.save_person(person, verified=True)
        person.save(update_fields=RIGHTS)
        people.store_password(person)
        changes = difference(before, state(person, *RIGHTS))
        audit.record("staff.appointed", actor=actor, resource=person, changes=changes)
    return person


def dismiss(*, email: str, actor: Actor) -> User:
    """Take somebody's rights on the platform; what they are in organizations stays. Raises NoStaff."""
    with control("dismiss staff"), atomic():
        person = User.objects.select_for_update().filter(email=normalized_email(email), is_staff=True).first()
        if person is None:
            raise NoStaff(f"{email} is no staff.")
        before = state(person, *RIGHTS)
        person.is_staff = person.is_superuser = False
        person.save(update_fields=RIGHTS)
        sessions.end_everywhere(person)
        changes = difference(before, state(person, *RIGHTS))
        audit.record("staff.dismissed", actor=actor, resource=person, changes=changes)
    return person


def note_sign_in(user: User) -> None:
    with control("note a staff sign-in"), atomic():
        audit.record("staff.signed_in", actor=staff_actor(user), resource=user)


def note_sign_out(user: User) -> None:
    """Record that somebody has left, whose visits end with that."""
    with control("note a staff sign-out"), atomic():
        visits.end_all(user)
        audit.record("staff.signed_out", actor=staff_actor(user), resource=user)
