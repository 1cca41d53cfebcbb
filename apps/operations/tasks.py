"""Sweeps over what every organization has."""

from __future__ import annotations

import random

import structlog
from celery import shared_task

from apps.tenancy.context import use
from apps.tenants.models import Tenant
from apps.tenants.selectors import all_tenants

from . import sealing, strays

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 50  # of the minute until the next one


@shared_task(control_reason="seal the audit logs", expires=SWEEP_SECONDS)
def seal_audit_logs() -> None:
    """Seal what was recorded about the platform, and about and inside each organization; every minute.

    Where there are sinks, forwarding has sealed most of it already.
    """
    sealing.seal_new(seconds=SWEEP_SECONDS)


@shared_task(control_reason="collect stray files")
def collect_stray_files() -> None:
    """Remove files that no row names; every hour, so many files at most, beginning with any organization."""
    left = strays.FILES_PER_RUN
    tenants = [tenant for tenant in all_tenants() if tenant.status == Tenant.Status.READY]
    random.shuffle(tenants)
    for tenant in tenants:
        if left <= 0:
            return
        try:
            left -= _collect_strays_of(tenant, at_most=left)
        except Exception:
            log.exception("stray_files_failed", tenant_id=str(tenant.id))  # the others do not wait for this one


def _collect_strays_of(tenant: Tenant, *, at_most: int) -> int:
    with use(tenant.context()):
        looked_at, removed = strays.collect_strays(at_most=at_most)
    if removed:
        log.warning("stray_files_removed", tenant_id=str(tenant.id), count=removed)
    return looked_at
