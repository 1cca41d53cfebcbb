"""The schemas that there are, and who lives in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from uuid import UUID

from apps.tenancy.context import TenantContext, control

from .models import Placement, Pool, Tenant, TenantDatabase

POOL, WARM, SCHEMA, DATABASE = "pool", "warm", "schema", "database"
KINDS = (POOL, WARM, SCHEMA, DATABASE)


@dataclass(frozen=True)
class SchemaLocation:
    """A schema of tenant tables in a database; no database name means the control plane's."""

    database: str | None
    schema: str
    kind: str
    tenants: tuple[UUID, ...] = ()  # when it was looked up; others may have come since

    def __str__(self) -> str:
        return f"{self.database or 'default'}/{self.schema}"

    @property
    def key(self) -> tuple[str, str]:
        """Database and schema, as tables of the control plane have them."""
        return self.database or "", self.schema


def all_locations() -> list[SchemaLocation]:
    """Pools first, as most people live there; warm schemas are locations like any other."""
    with control("enumerate placements"):
        pools = [
            SchemaLocation(None, schema, POOL)
            for schema in Pool.objects.filter(built=True).values_list("schema", flat=True)
        ]
        standing = Placement.objects.exclude(state=Placement.State.RETIRED)
        placed = standing.filter(built=True, database=None).order_by("created_at")
        of_pools: dict[str, list[UUID]] = defaultdict(list)
        own = []
        for placement in placed:
            tenants = [placement.tenant_id] if placement.tenant_id else []
            if placement.kind == Placement.Kind.POOL:
                of_pools[placement.schema] += tenants
            else:
                own.append(SchemaLocation(None, placement.schema, _kind(placement), tuple(tenants)))
        own += _databases()
    return [replace(pool, tenants=tuple(of_pools[pool.schema])) for pool in pools] + own


def _kind(placement: Placement) -> str:
    return WARM if placement.state == Placement.State.WARM and placement.tenant_id is None else SCHEMA


def _databases() -> list[SchemaLocation]:
    """Tenants' own, also those that are built and not yet given to their tenant."""
    built = TenantDatabase.objects.filter(built=True).order_by("created_at")
    found = built.values_list("name", "schema", "placement__tenant_id")
    return [SchemaLocation(name, schema, DATABASE, (tenant,) if tenant else ()) for name, schema, tenant in found]


def location_of(*, slug: str = "", schema_name: str = "") -> SchemaLocation | None:
    """The location of one tenant, by its slug or its logical schema name; no other is looked at."""
    key = {"slug": slug} if slug else {"schema_name": schema_name}
    with control("find placement"):
        tenant = Tenant.objects.with_placement().filter(**key).first()
        placement = getattr(tenant, "placement", None)
        if placement is None:
            return None
        database = placement.database.name if placement.database else None
        tenants = [placement.tenant_id]
        if placement.pool_id:
            neighbors = Placement.objects.filter(pool_id=placement.pool_id).order_by("created_at")
            tenants = list(neighbors.values_list("tenant_id", flat=True))
    return SchemaLocation(database, placement.schema, placement.kind, tuple(tenants))


def tenants_at(location: SchemaLocation, alias: str) -> list[TenantContext]:
    """The context of each tenant that lives in a location by now, on a connection of one's choice."""
    with control("look up who lives in a schema"):
        found = Tenant.objects.filter(placement__schema=location.schema, placement__database__name=location.database)
        return [
            TenantContext(tenant.id, tenant.schema_name, alias, location.schema, tenant=tenant)
            for tenant in found.order_by("id")
        ]
