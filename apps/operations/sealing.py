"""Sealing what was recorded since the last time, wherever that was."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import structlog

from apps.audit.chain import Chain, control_chain, horizon, seal_all, tenant_chain
from apps.tenancy.context import CONTROL_ALIAS, control, use
from apps.tenancy.schemas.slices import sliced
from apps.tenants.models import Tenant

from .unsealed import Sweep, last_horizon, move_horizon, note_sweep, owners_since, tenants_in, tenants_with_databases

log = structlog.get_logger(__name__)


def seal_new(*, seconds: float) -> None:
    """Seal what is new in all logs; what is not reached in the time is for the next sweep.

    That costs a few statements, and some more for each log with something new, and for each organization with a
    database of its own. It is done in no order, so that nobody waits longer than others.
    """
    began = time.monotonic()
    until = began + seconds
    _seal_control_logs(began + seconds / 2)  # many founded at once do not keep the others waiting
    for tenant in tenants_with_databases():
        if time.monotonic() < until:
            _seal_log_of(tenant)
    _seal_shared_logs(until)
    note_sweep(seconds=time.monotonic() - began, limit=seconds)


def _seal_control_logs(until: float) -> None:
    with control("find unsealed events"):
        reached = horizon()
        owners = owners_since(last_horizon())
    all_sealed = True
    for owner in owners:
        if time.monotonic() > until:
            return
        all_sealed &= _try_to_seal(control_chain(owner))
    if all_sealed:
        move_horizon(reached)


def _seal_shared_logs(until: float) -> None:
    sweep = Sweep(CONTROL_ALIAS)
    neighbors: dict[str, list[Tenant]] = defaultdict(list)
    for tenant in tenants_in(sweep.changed()):
        neighbors[tenant.placement.schema].append(tenant)
    schemas = list(neighbors)
    random.shuffle(schemas)
    for some in sliced(schemas):
        sweep.note_sealed(schema for schema in some if _seal_logs_of(neighbors[schema], until))


def _seal_logs_of(tenants: list[Tenant], until: float) -> bool:
    """Whether all of their logs are sealed now."""
    sealed = [_seal_log_of(tenant) for tenant in tenants if time.monotonic() < until]
    return all(sealed) and len(sealed) == len(tenants)


def _seal_log_of(tenant: Tenant) -> bool:
    try:
        with use(tenant.context()):
            return _try_to_seal(tenant_chain())
    except Exception:
        log.exception("audit_sealing_failed", tenant_id=str(tenant.id))  # the others do not wait for this one
        return False


def _try_to_seal(chain: Chain) -> bool:
    """Whether all of a log is sealed now."""
    try:
        return seal_all(chain)
    except Exception:
        log.exception("audit_sealing_failed", tenant_id=str(chain.tenant_id or ""))
        return False
