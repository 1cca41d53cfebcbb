"""Telling somebody, by mail only, which organizations they belong to."""

from __future__ import annotations

from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS
from apps.core.addresses import normalized_email
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..models import User

LOOKUP_REQUESTED = "accounts.lookup_requested"


def request_organizations(*, email: str) -> None:
    """Have the list mailed if the address is known; silent if not."""
    with control("find organizations"), atomic():
        user = User.objects.filter(email=normalized_email(email), is_active=True).first()
        if user is not None:
            outbox.emit(LOOKUP_REQUESTED, {"user_id": str(user.pk)})
            audit.record("organizations.lookup_requested", actor=ANONYMOUS, resource=user)
