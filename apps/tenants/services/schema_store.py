"""Keeps schemas and pool places ready, so that a sign-up only has to claim one. Needs the owner's credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import connections
from django.db.models import F, Sum

from apps.tenancy import databases
from apps.tenancy.context import control
from apps.tenancy.schemas import blueprint, ledger
from apps.tenancy.schemas.release import Release, this_release
from apps.tenancy.schemas.replay import SchemaState, step_through
from apps.tenancy.schemas.slices import one_by_one
from apps.tenancy.transactions import atomic

from .. import room
from ..models import Placement, Pool

log = structlog.get_logger(__name__)

LOCK = "tenants.schema_store"


@dataclass(frozen=True)
class Stock:
    """What is ready to be claimed."""

    schemas: int
    pool_places: int


def stock() -> Stock:
    with control("count the schema store"):
        places = Pool.objects.open().filter(built=True).aggregate(free=Sum(F("capacity") - F("tenant_count")))["free"]
        return Stock(Placement.objects.warm().filter(built=True).count(), places or 0)


def replenish(
    *, schemas: int | None = None, pool_places: int | None = None, progress: Callable[[str], None] = lambda _: None
) -> Stock:
    """Build until at least so many schemas and pool places are ready (default: as settings say), or no more may be.

    One run at a time. What is built is noted before, so the next run finishes what a killed one left.
    """
    wanted = Stock(
        settings.WARM_SCHEMAS if schemas is None else schemas,
        settings.WARM_POOL_PLACES if pool_places is None else pool_places,
    )
    with databases.owner_lock(LOCK), control("replenish the schema store"):
        _note_claims_of_the_release_before()
        _bring_to_this_release()
        for noted in one_by_one(databases.owner_alias(), _unbuilt(wanted)):
            _build(noted)
            progress(noted.schema)
        return stock()


def _note_claims_of_the_release_before() -> None:
    """One that knows of no states gives a placement a tenant and leaves it at that."""
    claimed = Placement.objects.filter(tenant__isnull=False, state=Placement.State.WARM)
    claimed.update(state=Placement.State.USED)


def _unbuilt(wanted: Stock) -> Iterator[Placement | Pool]:
    """What a killed run has left, then what is lacking, noted one by one; each is built when the next is asked for."""
    yield from Placement.objects.warm().filter(built=False)
    yield from Pool.objects.filter(built=False)
    while stock().schemas < wanted.schemas and room.schemas_to_build() > 0:
        yield Placement.objects.create(kind=Placement.Kind.SCHEMA, schema=blueprint.new_schema_name())
    while stock().pool_places < wanted.pool_places and room.pools_to_build() > 0:
        yield _next_pool()


def _bring_to_this_release() -> None:
    """Migrate warm schemas that a process of the release before has built after the fleet was migrated."""
    owner, release = databases.owner_alias(), this_release()
    warm = list(Placement.objects.warm().filter(built=True).values_list("schema", flat=True))
    known = ledger.fingerprints(owner, warm)
    others = {schema: known.get(schema, "") for schema in warm if known.get(schema) != release.fingerprint}
    for schema, applied in one_by_one(owner, ledger.applied_migrations(owner, others).items()):
        with atomic():
            if release.missing(applied) and _keep_from_sign_ups(schema):
                _step_through(owner, SchemaState(schema, others[schema], applied), release)


def _keep_from_sign_ups(schema: str) -> bool:
    """Have sign-ups pass over a warm schema until the transaction ends; False if one has it already."""
    warm = Placement.objects.warm().filter(schema=schema)
    return warm.select_for_update(skip_locked=True).exists()


def _step_through(owner: str, found: SchemaState, release: Release) -> None:
    try:
        step_through(owner, found, release)
    except Exception:  # one schema that cannot be migrated keeps nobody from signing up; migrate_fleet tells why
        log.exception("warm_schema_not_migrated", schema=found.schema)
        connections[owner].close()


def _build(noted: Placement | Pool) -> None:
    """Build what is noted unless a killed run did; the schema and all its tables come in one transaction."""
    owner = databases.owner_alias()
    if not blueprint.schema_exists(owner, noted.schema):
        blueprint.build_schema(owner, noted.schema, operator=settings.DATABASE_OPERATOR_ROLE)
    noted.built = True
    noted.save(update_fields=["built"])


def _next_pool() -> Pool:
    last = Pool.objects.order_by("-number").first()
    number = last.number + 1 if last else 1
    return Pool.objects.create(number=number, schema=f"pool_{number:04d}", capacity=settings.POOL_CAPACITY)
