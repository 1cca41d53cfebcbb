"""Handing a signed-in person from the apex over to an organization's own host."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS
from apps.core import clocks
from apps.tenancy.context import TenantContext, control, current_tenant
from apps.tenancy.transactions import atomic
from apps.tenants.models import Tenant

from ..codes import digest, lifetime, new_code, oldest_valid
from ..errors import HandoffRefused
from ..models import HandoffCode, Membership, User
from . import proofs


def issue_handoff_code(*, tenant_id: UUID, person: User) -> str:
    """A code that signs somebody who has proven who they are in on the tenant's host, once.

    It is good for HANDOFF_SECONDS; where the tenant is not ready yet, for as long from when it is. Raises
    CredentialsRefused.
    """
    code = new_code()
    expires_at = timezone.now() + lifetime()
    with control("hand over a session"), atomic():
        proofs.held(person)
        row = HandoffCode.objects.create(
            tenant_id=tenant_id, user_id=person.pk, code_hash=digest(code), expires_at=expires_at
        )
        audit.record("handoff.issued", actor=ANONYMOUS, resource=row, tenant_id=tenant_id)
    return code


def redeem_handoff_code(*, code: str) -> Membership:
    """The membership of whom a code of this tenant signs in; it is spent by that. Raises HandoffRefused."""
    tenant: TenantContext = current_tenant()
    now = timezone.now()
    with control("hand over a session"), atomic():
        row = (
            HandoffCode.objects.select_for_update(of=("self",))
            .filter(_fresh(), tenant_id=tenant.tenant_id, used_at__isnull=True, code_hash=digest(code))
            .first()
        )
        if row is None:
            raise HandoffRefused
        row.used_at = now
        row.save(update_fields=["used_at"])
        audit.record("handoff.redeemed", actor=ANONYMOUS, resource=row, tenant_id=tenant.tenant_id)
        member = (
            Membership.objects.select_related("user")
            .filter(tenant_id=tenant.tenant_id, user_id=row.user_id, user__is_active=True)
            .first()
        )
        if member is None:
            raise HandoffRefused
    return member


def clear_expired_codes() -> None:
    with control("clear expired codes"):
        awaited = Q(tenant__status=Tenant.Status.PROVISIONING)
        HandoffCode.objects.exclude(_fresh() | awaited).delete()


def _fresh() -> Q:
    return Q(expires_at__gt=clocks.over()) | Q(tenant__ready_at__gt=oldest_valid())
