"""Support visits: staff looks into an organization, which is told who, why and at what.

What decides is written in the control plane, what the organization is told in its own log: two databases at times,
so each is a step of its own.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.tenancy.context import control, current_tenant
from apps.tenancy.transactions import atomic
from apps.tenants.models import Tenant

from .. import subjects
from ..codes import digest, new_code, oldest_valid
from ..errors import HandoffRefused, VisitRefused
from ..models import SupportVisit, User
from ..models.visits import LONGEST
from ..selectors import MAY_VISIT


def grant(*, tenant_id: UUID, user_id: UUID, reason: str) -> str:
    """Let a superuser look into an organization that is open. Returns the code with which the visit begins there.

    Raises VisitRefused.
    """
    if not reason.strip():
        raise VisitRefused(_("A visit needs a reason."), field="reason")
    code, now = new_code(), timezone.now()
    with control("grant a support visit"), atomic():
        tenant = Tenant.objects.get(id=tenant_id)
        user = User.objects.filter(id=user_id, is_active=True, is_staff=True, is_superuser=True).first()
        if user is None or not tenant.is_open:
            raise VisitRefused
        visit = SupportVisit.objects.create(
            tenant_id=tenant_id,
            user=user,
            reason=reason.strip()[:500],
            code_hash=digest(code),
            created_at=now,
            expires_at=now + LONGEST,
        )
        _record("visit.granted", visit, reason=visit.reason)
    return code


def begin(*, code: str) -> SupportVisit:
    """The visit to this organization that a code begins, which is spent by that. Raises HandoffRefused."""
    tenant_id = current_tenant().tenant_id
    with control("begin a support visit"), atomic():
        visit = (
            SupportVisit.objects.select_for_update(of=("self",))
            .select_related("user")
            .filter(MAY_VISIT, tenant_id=tenant_id, code_hash=digest(code), created_at__gt=oldest_valid())
            .filter(started_at=None, ended_at=None)
            .first()
        )
        if visit is None:
            raise HandoffRefused
        visit.started_at = timezone.now()
        visit.save(update_fields=["started_at"])
        _record("visit.redeemed", visit)
    return visit


def end(*, visit: SupportVisit) -> None:
    """End a visit at once. Ending it again changes nothing."""
    with control("end a support visit"), atomic():
        _end(visit.user, id=visit.id)


def end_all(user: User) -> None:
    """All visits of a person, in the caller's control-plane transaction."""
    _end(user)


def tell_begin(visit: SupportVisit) -> None:
    """Tell the organization in its own log who looks into it, why, and for how long at most."""
    until = visit.expires_at.isoformat(timespec="minutes")
    with atomic():
        _record("visit.started", visit, reason=visit.reason, until=until)


def tell_page(visit: SupportVisit, path: str) -> None:
    """Tell the organization in its own log what was looked at."""
    with atomic():
        _record("visit.page_shown", visit, path=path)


def tell_end(visit: SupportVisit) -> None:
    with atomic():
        _record("visit.finished", visit)


def _end(user: User, **which: UUID) -> None:
    going_on = SupportVisit.objects.select_for_update().filter(user=user, ended_at=None, **which)
    for visit in going_on.filter(expires_at__gt=timezone.now()):
        visit.user, visit.ended_at = user, timezone.now()
        visit.save(update_fields=["ended_at"])
        _record("visit.ended", visit)


def _record(action: str, visit: SupportVisit, **details: Any) -> None:
    actor = subjects.of_visit(visit)
    audit.record(action, actor=actor, resource=visit, tenant_id=visit.tenant_id, staff=visit.user.email, **details)
