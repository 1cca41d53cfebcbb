"""New organizations go where there is room, however many come at once, and nowhere else."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from django.db import IntegrityError, connections
from django.db.models import F

from apps.audit.actors import SYSTEM
from apps.onboarding.services import ensure_organization, sign_up
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants import room
from apps.tenants.errors import NoRoom, PoolNotFound
from apps.tenants.models import Placement, Pool, Tenant
from apps.tenants.services import pools, provisioning, schema_store
from tests.support.factories import PASSWORD

FIRST = 9000  # the number of the first pool of a test, above all others
SEEDS = range(12)


@dataclass
class Shop:
    """What is ready and what may be built, for a test alone; its places are rows, and no schemas."""

    settings: object
    warm: int = 0
    pools: list[Pool] = field(default_factory=list)

    def offer(self, *, warm: int, schemas: int, pools: list[tuple[int, int, bool]], more_pools: int) -> None:
        """So many warm schemas, pools of (capacity, count, open), and how many more of each may be built."""
        with control("prepare"):
            for number in range(warm):
                Placement.objects.create(kind="schema", schema=f"t_room_{number}", built=True)
            for number, (capacity, count, is_open) in enumerate(pools):
                row = {"capacity": capacity, "tenant_count": count, "is_open": is_open, "built": True}
                self.pools.append(Pool.objects.create(number=FIRST + number, schema=f"pool_room_{number}", **row))
            taken = room._own_schemas().filter(built=True).count()
            self.settings.SCHEMA_LIMIT = taken + schemas
            self.settings.POOL_LIMIT = Pool.objects.count() + more_pools

    def counts(self) -> list[int]:
        with control("look"):
            numbers = [pool.number for pool in self.pools]
            return list(
                Pool.objects.filter(number__in=numbers).order_by("number").values_list("tenant_count", flat=True)
            )


@pytest.fixture
def shop(platform, database, settings) -> Iterator[Shop]:
    with control("put everything else away"):
        kept = list(Pool.objects.filter(is_open=True).values_list("id", flat=True))
        Pool.objects.update(is_open=False)
        warm = list(Placement.objects.warm().filter(built=True).values_list("id", flat=True))
        Placement.objects.filter(id__in=warm).update(built=False)
    yield Shop(settings)
    with control("put it back"):
        Placement.objects.filter(schema__startswith="t_room_").delete()
        Placement.objects.filter(schema__startswith="pool_room_").delete()
        Pool.objects.filter(number__gte=FIRST).delete()
        Pool.objects.filter(id__in=kept).update(is_open=True)
        Placement.objects.filter(id__in=warm).update(built=True)


def come(count: int, kind: str, otherwise: str = "") -> list[Tenant | None]:
    """So many organizations that come at once; None for each that is refused."""
    together = threading.Barrier(count)
    found: list[Tenant | None] = []

    def open_one(number: int) -> None:
        try:
            together.wait()
            with control("open"), atomic():
                found.append(provisioning.open_tenant(name=f"Room {number}", kind=kind, otherwise=otherwise))
        except NoRoom:
            found.append(None)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=open_one, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == count
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_organizations__that_come_at_once__fill_what_is_open_and_no_more(shop, seed):
    chance = random.Random(seed)
    warm, schemas, more_pools = chance.randint(0, 3), chance.randint(0, 3), chance.randint(0, 1)
    rows = []
    for _ in range(chance.randint(1, 4)):
        capacity = chance.randint(1, 4)
        rows.append((capacity, chance.randint(0, capacity), chance.random() < 0.7))
    shop.settings.POOL_CAPACITY = 2
    shop.offer(warm=warm, schemas=schemas, pools=rows, more_pools=more_pools)
    free = sum(capacity - count for capacity, count, is_open in rows if is_open)

    found = come(chance.randint(6, 14), "schema", "pool")

    accepted = [tenant for tenant in found if tenant]
    ready = [tenant for tenant in accepted if tenant.status == Tenant.Status.READY]
    all_room = warm + schemas + free + 2 * more_pools
    assert len(accepted) == min(len(found), all_room)
    kinds = [tenant.requested_placement for tenant in accepted]
    assert kinds.count("schema") == min(len(found), warm + schemas)
    assert len(ready) == min(len(found), warm) + min(max(len(found) - warm - schemas, 0), free)
    for (capacity, before, is_open), now in zip(rows, shop.counts(), strict=True):
        assert now <= capacity
        assert is_open or now == before
    with control("look"):
        in_pools = Placement.objects.filter(pool__number__gte=FIRST).count()
    assert sum(shop.counts()) - sum(count for _, count, _ in rows) == in_pools


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([(10, 9, True), (10, 2, True)], 1),
        ([(10, 2, True), (10, 9, True)], 0),
        ([(10, 5, True), (10, 5, True)], 0),
        ([(3, 0, True), (100, 90, True)], 1),
        ([(10, 0, False), (10, 9, True)], 1),
        ([(10, 10, True), (10, 9, True)], 1),
    ],
    ids=str,
)
def test_pool__for_a_new_organization__is_the_open_one_with_the_most_room(shop, rows, chosen):
    shop.offer(warm=0, schemas=0, pools=rows, more_pools=0)

    assert come(1, "pool") != [None]

    expected = [count + (number == chosen) for number, (_, count, _) in enumerate(rows)]
    assert shop.counts() == expected


def test_pool__that_somebody_is_entering__lets_the_next_into_another_without_waiting(shop):
    shop.offer(warm=0, schemas=0, pools=[(10, 0, True), (10, 5, True)], more_pools=0)

    with control("enter"), atomic():
        provisioning.open_tenant(name="Slow", kind="pool")
        assert come(1, "pool") != [None]

    assert shop.counts() == [1, 6]


def test_probes__with_pools_that_have_more_room__are_neighbors(shop):
    shop.offer(warm=0, schemas=0, pools=[(9, 4, True), (9, 0, True), (9, 0, True)], more_pools=0)

    for number in range(3):
        with control("test"), atomic():
            provisioning.open_tenant(name=f"Probe {number}", kind="pool", is_probe=True)

    assert shop.counts() == [7, 0, 0]


def test_pool__past_its_capacity__is_refused_by_the_database(shop):
    shop.offer(warm=0, schemas=0, pools=[(2, 2, True)], more_pools=0)

    with control("overfill"), pytest.raises(IntegrityError, match="tenants_pool_not_over_full"):
        Pool.objects.filter(number=FIRST).update(tenant_count=F("tenant_count") + 1)


def sign_up_one(placement: str) -> Tenant:
    return sign_up(organization="Late", email="late@example.com", password=PASSWORD, placement=placement).tenant


def ensure_one(placement: str) -> Tenant:
    return ensure_organization(organization="Late", owner_email="late@example.com", placement=placement).tenant


@pytest.mark.parametrize("enter", [sign_up_one, ensure_one])
@pytest.mark.parametrize(("schemas", "places"), [(1, 0), (0, 1), (0, 0)])
@pytest.mark.parametrize("placement", ["", "schema", "pool"])
def test_sign_up__at_the_limit_of_schemas__shares_a_pool_unless_a_placement_was_asked_for(
    shop, enter: Callable[[str], Tenant], schemas, places, placement
):
    shop.offer(warm=0, schemas=schemas, pools=[(places + 1, 1, True)], more_pools=0)
    expected = {
        "": "schema" if schemas else "pool" if places else None,
        "schema": "schema" if schemas else None,
        "pool": "pool" if places else None,
    }[placement]

    if expected is None:
        with pytest.raises(NoRoom):
            enter(placement)
        with control("look"):
            assert not Tenant.objects.filter(name="Late").exists()
    else:
        assert enter(placement).requested_placement == expected


@pytest.mark.parametrize(("schemas", "more_pools"), [(0, 0), (1, 0), (0, 1), (2, 1)])
def test_store__with_a_limit__builds_no_more_than_that(shop, monkeypatch, schemas, more_pools):
    monkeypatch.setattr(
        schema_store, "_build", lambda noted: type(noted).objects.filter(id=noted.id).update(built=True)
    )
    monkeypatch.setattr(schema_store.blueprint, "new_schema_name", lambda: f"t_room_{random.random()}")
    monkeypatch.setattr(schema_store, "_bring_to_this_release", lambda: None)
    with control("look away from what is put away"):
        Placement.objects.warm().filter(built=False).update(state=Placement.State.RETIRED)
    shop.settings.POOL_CAPACITY = 3
    shop.offer(warm=0, schemas=schemas, pools=[], more_pools=more_pools)
    with control("count"):
        before = set(Pool.objects.values_list("id", flat=True))

    try:
        stock = schema_store.replenish(schemas=5, pool_places=5)
        assert (stock.schemas, stock.pool_places) == (schemas, 3 * more_pools)
    finally:
        with control("take them away"):
            Pool.objects.exclude(id__in=before).delete()
            Placement.objects.filter(state=Placement.State.RETIRED).update(state=Placement.State.WARM)


def test_pool__closed_and_opened__is_said_to_be(shop):
    shop.offer(warm=0, schemas=0, pools=[(2, 0, True)], more_pools=0)

    assert not pools.set_open(number=FIRST, is_open=False, actor=SYSTEM).is_open
    assert come(1, "pool") == [None]
    assert pools.set_open(number=FIRST, is_open=True, actor=SYSTEM).is_open
    assert come(1, "pool") != [None]


def test_pool__that_there_is_not__cannot_be_closed(platform, database):
    with pytest.raises(PoolNotFound):
        pools.set_open(number=FIRST, is_open=False, actor=SYSTEM)
