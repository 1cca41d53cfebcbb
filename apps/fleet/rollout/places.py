"""The schemas that there are, and who lives in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from uuid import UUID

from apps.tenancy.context import TenantContext, control
from apps.tenants.models import Placement, Pool, Tenant

POOL, WARM = "pool", "warm"
KINDS = (POOL, WARM, "schema", "database")


@dataclass(frozen=True)
class Place:
    """A schema of tenant tables in a database; no database name means the control plane's."""

    database: str | None
    schema: str
    kind: str
    tenants: tuple[tuple[UUID, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.database or 'default'}/{self.schema}"

    @property
    def key(self) -> tuple[str, str]:
        """Database and schema, as tables of the control plane have them."""
        return self.database or "", self.schema

    def contexts(self, alias: str) -> list[TenantContext]:
        """The context of each tenant that lives here, on a connection of one's choice."""
        return [TenantContext(tenant_id, name, alias, self.schema) for tenant_id, name in self.tenants]


def all_places() -> list[Place]:
    """Pools first, as most people live there; warm schemas are places like any other."""
    with control("enumerate placements"):
        pools = [
            Place(None, schema, POOL) for schema in Pool.objects.filter(built=True).values_list("schema", flat=True)
        ]
        placed = Placement.objects.filter(built=True).select_related("database", "tenant").order_by("created_at")
        dwellers: dict[str, list[tuple[UUID, str]]] = defaultdict(list)
        own = []
        for placement in placed:
            tenants = _tenants(placement)
            if placement.kind == Placement.Kind.POOL:
                dwellers[placement.schema] += tenants
            else:
                database = placement.database.name if placement.database else None
                own.append(Place(database, placement.schema, placement.kind if tenants else WARM, tuple(tenants)))
    return [replace(pool, tenants=tuple(dwellers[pool.schema])) for pool in pools] + own


def place_of(*, slug: str = "", schema_name: str = "") -> Place | None:
    """The place of one tenant, by its slug or its logical schema name."""
    key = {"slug": slug} if slug else {"schema_name": schema_name}
    with control("find placement"):
        tenant = Tenant.objects.with_placement().filter(**key).first()
    placement = getattr(tenant, "placement", None)
    if placement is None:
        return None
    return next(p for p in all_places() if (p.database or "default", p.schema) == (placement.alias, placement.schema))


def _tenants(placement: Placement) -> list[tuple[UUID, str]]:
    return [(placement.tenant.id, placement.tenant.schema_name)] if placement.tenant else []
