"""Creating organizations in our project, and the times it takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db.models import F
from psycopg import sql

from apps.onboarding import services
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Pool, Tenant
from apps.tenants.services import provisioning, schema_store

PASSWORD = "a password of five words"
STORE = 50
Times = dict[str, list[float]]
Found = Callable[[str], Tenant]


def prepare() -> None:
    """Make roles, tables and a first stock of places."""
    call_command("setup_roles")
    call_command("migrate_schemas", verbosity=0)
    schema_store.replenish(schemas=2, pool_places=STORE)


def create_organization(name: str, placement: str) -> Tenant:
    """The organization of this name, created unless it exists."""
    if not schema_store.stock().schemas:
        schema_store.replenish(schemas=STORE, pool_places=STORE)
    email = f"{name.replace(' ', '-').lower()}@bench.example"
    created = services.ensure_organization(organization=name, owner_email=email, placement=placement)
    assert created.is_ready
    return created.tenant


def emitters(number: int) -> list[str]:
    """The ids of so many organizations: all that a task needs to enter their contexts. They share a pool."""
    first = create_organization("Emitter", "pool")
    with control("add emitters"), atomic():
        place = Placement.objects.get(tenant=first)
        known = {"requested_placement": "pool", "status": first.status}
        others = [
            Tenant(name=name, slug=name, schema_name=name, **known)
            for name in (f"emitter_{one}" for one in range(1, number))
        ]
        Tenant.objects.bulk_create(others)
        Placement.objects.bulk_create(
            Placement(tenant=one, kind=place.kind, state=place.state, pool=place.pool, schema=place.schema, built=True)
            for one in others
        )
    return [str(one.id) for one in (first, *others)]


def fill(tenants: int) -> int:
    """Found so many organizations in schemas of their own. Returns their number."""
    for number in range(tenants):
        create_organization(f"Filler {number:04d}", "schema")
    with control("count tenants"):
        return Tenant.objects.count()


def fill_store(schemas: int) -> int:
    """Keep so many schemas ready. Returns their number."""
    return schema_store.replenish(schemas=schemas, pool_places=0).schemas


def creation_times(samples: int) -> Times:
    """Milliseconds of each way of creating, one after the other; the organizations are removed again."""
    times: Times = defaultdict(list)
    ways = _ways()
    own_schema = sum(kind == "schema" for _, kind in ways)
    while schema_store.stock().schemas < own_schema * samples:
        one_more = partial(schema_store.replenish, schemas=schema_store.stock().schemas + 1, pool_places=0)
        _timed(times, "replenish, one schema", one_more)
    schema_store.replenish(schemas=0, pool_places=STORE)
    for _ in range(samples):
        for (case, kind), way in ways.items():
            _sample(times, f"{case}, {kind}", way)
        _timed(times, "Argon2id hash", lambda: make_password(PASSWORD))
    _drop_unnoted_schemas()
    return times


def _ways() -> dict[tuple[str, str], Found]:
    cases = {"ensure_organization": _ensure, "sign_up": _sign_up, "open_tenant": _claim}
    kinds = ("schema", "pool")
    return {(case, kind): partial(way, placement=kind) for kind in kinds for case, way in cases.items()}


def _ensure(name: str, *, placement: str) -> Tenant:
    email = f"{name}@bench.example"
    return services.ensure_organization(organization=name, owner_email=email, placement=placement).tenant


def _sign_up(name: str, *, placement: str) -> Tenant:
    email = f"{name}@bench.example"
    return services.sign_up(organization=name, email=email, password=PASSWORD, placement=placement).tenant


def _claim(name: str, *, placement: str) -> Tenant:
    with control("bench"), atomic():
        return provisioning.open_tenant(name=name, kind=placement)


def _sample(times: Times, case: str, way: Found) -> None:
    """Time one creating under a name nobody has, and undo it."""
    name = f"n{token_hex(8)}"
    tenant = _timed(times, case, lambda: way(name))
    assert tenant.status == Tenant.Status.READY, f"{case} found no place ready"
    with control("bench"), atomic():
        Pool.objects.filter(placements__tenant=tenant).update(tenant_count=F("tenant_count") - 1)
        Tenant.objects.filter(id=tenant.id).delete()


def _timed(times: Times, case: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    times[case].append((time.perf_counter() - began) * 1000)
    return result


def _drop_unnoted_schemas() -> None:
    """Drop the schemas of removed organizations, which the store would otherwise take back."""
    with control("bench"):
        noted = set(Placement.objects.values_list("schema", flat=True))
    with psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True) as owner:
        schemas = owner.execute(r"SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\_%'").fetchall()
        for (schema,) in schemas:
            if schema not in noted:
                owner.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
