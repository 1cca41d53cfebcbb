"""Sweeps over what every organization has."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.audit.chain import control_chain, seal, tenant_chain
from apps.tenancy.context import use
from apps.tenants.models import Tenant
from apps.tenants.selectors import all_tenants

log = structlog.get_logger(__name__)


@shared_task(control_reason="seal the audit logs")
def seal_audit_logs() -> None:
    """Seal what was recorded about the platform, and about and inside each organization; every five minutes.

    Where there are sinks, forwarding has sealed most of it already.
    """
    for tenant in [None, *all_tenants()]:
        try:
            _seal_logs_of(tenant)
        except Exception:
            tenant_id = str(tenant.id) if tenant else ""
            log.exception("audit_sealing_failed", tenant_id=tenant_id)  # the others do not wait for this one


def _seal_logs_of(tenant: Tenant | None) -> None:
    seal(control_chain(tenant.id if tenant else None))
    if tenant and tenant.status == Tenant.Status.READY:
        with use(tenant.context()):
            seal(tenant_chain())
