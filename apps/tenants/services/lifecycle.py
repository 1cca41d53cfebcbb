"""Putting an organization on hold, and lifting the hold."""

from __future__ import annotations

import structlog
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .. import directory
from ..errors import IllegalTransition, TenantNotFound
from ..models import Tenant

log = structlog.get_logger(__name__)


def hold(*, slug: str, reason: str, actor: Actor) -> Tenant:
    """Close the organization to everybody until released. Holding it again keeps the first time and reason."""
    if not reason.strip():
        raise IllegalTransition("A hold needs a reason.", field="reason")
    with control("hold tenant"), atomic():
        tenant = _locked(slug)
        if tenant.status not in (Tenant.Status.READY, Tenant.Status.DEACTIVATED):
            raise IllegalTransition(f"The organization is {tenant.status}; it cannot be held.")
        if not tenant.is_held:
            tenant.held_at, tenant.hold_reason = timezone.now(), reason.strip()[:500]
            tenant.save(update_fields=["held_at", "hold_reason"])
            directory.changed(tenant.id)
            audit.record("tenant.held", actor=actor, resource=tenant, tenant_id=tenant.id, reason=tenant.hold_reason)
            log.info("tenant_held", tenant=tenant.slug, tenant_id=str(tenant.id), reason=tenant.hold_reason)
    return tenant


def release(*, slug: str, actor: Actor) -> Tenant:
    """Lift the hold. Releasing an organization that is not held changes nothing."""
    with control("release tenant"), atomic():
        tenant = _locked(slug)
        if tenant.is_held:
            tenant.held_at, tenant.hold_reason = None, ""
            tenant.save(update_fields=["held_at", "hold_reason"])
            directory.changed(tenant.id)
            audit.record("tenant.released", actor=actor, resource=tenant, tenant_id=tenant.id)
            log.info("tenant_released", tenant=tenant.slug, tenant_id=str(tenant.id))
    return tenant


def _locked(slug: str) -> Tenant:
    tenant = Tenant.objects.select_for_update().filter(slug=slug).first()
    if tenant is None:
        raise TenantNotFound(f"There is no organization '{slug}'.")
    return tenant
