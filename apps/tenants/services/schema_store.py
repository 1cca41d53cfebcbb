"""Keeps schemas and pool places ready, so that a sign-up only has to claim one. Needs the owner's credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db.models import F, Sum

from apps.tenancy import blueprint, databases
from apps.tenancy.context import control

from ..models import Placement, Pool

LOCK = "tenants.schema_store"


@dataclass(frozen=True)
class Stock:
    """What is ready to be claimed."""

    schemas: int
    pool_places: int


def stock() -> Stock:
    with control("count the schema store"):
        places = Pool.objects.aggregate(free=Sum(F("capacity") - F("tenant_count")))["free"]
        return Stock(Placement.objects.filter(tenant__isnull=True).count(), places or 0)


def replenish(
    *, schemas: int | None = None, pool_places: int | None = None, progress: Callable[[str], None] = lambda _: None
) -> Stock:
    """Build until at least so many schemas and pool places are ready (default: as settings say).

    One run at a time: a schema that a killed run built but did not note is found and put on the shelf.
    """
    wanted = Stock(
        settings.WARM_SCHEMAS if schemas is None else schemas,
        settings.WARM_POOL_PLACES if pool_places is None else pool_places,
    )
    with databases.owner_lock(LOCK), control("replenish the schema store"):
        _adopt_unnoted_schemas()
        while stock().schemas < wanted.schemas:
            name = blueprint.new_schema_name()
            _build(name)
            Placement.objects.create(kind=Placement.Kind.SCHEMA, schema=name)
            progress(name)
        while stock().pool_places < wanted.pool_places:
            progress(_add_pool().schema)
        return stock()


def _build(schema: str) -> None:
    blueprint.build_schema(databases.owner_alias(), schema, operator=settings.DATABASE_OPERATOR_ROLE)


def _add_pool() -> Pool:
    last = Pool.objects.order_by("-number").first()
    number = last.number + 1 if last else 1
    schema = f"pool_{number:04d}"
    if not blueprint.schema_exists(databases.owner_alias(), schema):
        _build(schema)
    return Pool.objects.create(number=number, schema=schema, capacity=settings.POOL_CAPACITY)


def _adopt_unnoted_schemas() -> None:
    noted = set(Placement.objects.values_list("schema", flat=True))
    for schema in blueprint.schemas_like(databases.owner_alias(), "t\\_%"):
        if schema not in noted:
            Placement.objects.create(kind=Placement.Kind.SCHEMA, schema=schema)
