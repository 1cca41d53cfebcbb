"""Telling somebody, by mail only, which organizations they belong to."""

from __future__ import annotations

from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Thing
from apps.core.addresses import normalized_email
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..models import User

LOOKUP_REQUESTED = "accounts.lookup_requested"


def request_organizations(*, email: str) -> None:
    """Have the list mailed if the address is known; silent if not.

    The same is written either way, or the time it takes would tell whether it is known.
    """
    with control("find organizations"), atomic():
        people = User.objects.filter(email=normalized_email(email), is_active=True)
        user_id = str(people.values_list("id", flat=True).first() or "")
        outbox.emit(LOOKUP_REQUESTED, {"user_id": user_id}, lane=outbox.MAILS)
        audit.record("organizations.lookup_requested", actor=ANONYMOUS, resource=Thing(type="user", id=user_id))
