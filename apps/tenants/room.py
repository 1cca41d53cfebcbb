"""Room for more organizations: schemas and pools are made up to a limit, and who waits for one counts as well."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q, Sum

from apps.tenancy.transactions import lock

from .models import Placement, Pool, Tenant

LOCK = "tenants.room"
Kind = Placement.Kind


def schemas_to_build() -> int:
    """How many more schemas of one organization each the server may have."""
    return int(settings.SCHEMA_LIMIT) - _own_schemas().count()


def pools_to_build() -> int:
    """How many more pools the server may have."""
    return int(settings.POOL_LIMIT) - Pool.objects.count()


def can_be_built_for(tenant: Tenant, kind: Kind) -> bool:
    """Whether what is not ready may be built for one more, beside all who wait for theirs.

    Asked by whoever found nothing ready: what is built is somebody else's then. Others who ask wait until the
    transaction ends, so that no place is promised twice.
    """
    if kind == Kind.DATABASE:
        return True
    lock(LOCK)
    waiting = Tenant.objects.filter(status=Tenant.Status.PROVISIONING, requested_placement=kind).exclude(id=tenant.id)
    return waiting.count() < _places(kind)


def _places(kind: Kind) -> int:
    if kind == Kind.SCHEMA:
        taken = _own_schemas().filter(Q(built=True) | Q(tenant__isnull=False)).count()
        return int(settings.SCHEMA_LIMIT) - taken
    noted = Pool.objects.open().filter(built=False).aggregate(places=Sum(F("capacity") - F("tenant_count")))["places"]
    return (noted or 0) + max(pools_to_build(), 0) * int(settings.POOL_CAPACITY)


def _own_schemas() -> models.QuerySet[Placement]:
    return Placement.objects.filter(kind=Kind.SCHEMA).exclude(state=Placement.State.RETIRED)
