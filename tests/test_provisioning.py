"""An organization gets its place: at once, a little later, or after a kill."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, connections

from apps.audit.actors import SYSTEM
from apps.onboarding.services import ensure_organization, sign_up
from apps.projects.models import Project
from apps.tenancy.context import control
from apps.tenancy.databases import owner_alias
from apps.tenants.errors import IllegalTransition, TenantNotFound
from apps.tenants.locations import SchemaLocation, all_locations
from apps.tenants.models import Placement, Pool, Tenant, TenantDatabase
from apps.tenants.services import lifecycle, provisioning, schema_store
from tests.support import servers
from tests.support.factories import PASSWORD, Organization, create_organization
from tests.support.releases import add_color, migrate, next_release


@pytest.fixture
def empty_store(platform, database):
    """No schema is ready, and no pool has room."""
    with control("empty the store"):
        Placement.objects.warm().delete()
        room = list(Pool.objects.values_list("id", "capacity"))
        for pool in Pool.objects.all():
            Pool.objects.filter(id=pool.id).update(capacity=pool.tenant_count)
    yield
    with control("refill the store"):
        for pool_id, capacity in room:
            Pool.objects.filter(id=pool_id).update(capacity=capacity)
    schema_store.replenish()


@pytest.mark.parametrize("kind", ["schema", "pool"])
def test_sign_up__with_a_place_ready__is_ready_in_one_transaction(platform, database, kind):
    schema_store.replenish()

    created = sign_up(organization="Prompt", email="prompt@example.com", password=PASSWORD, placement=kind)

    assert created.is_ready
    with Organization(created.tenant, created.owner).inside():
        assert list(Project.objects.all()) == []


@pytest.mark.parametrize("kind", ["schema", "pool", "database"])
def test_sign_up__without_a_place__is_finished_by_the_provisioner(empty_store, kind):
    created = sign_up(organization="Patient", email="patient@example.com", password=PASSWORD, placement=kind)

    assert not created.is_ready
    assert provisioning.unfinished() == [created.tenant.id]
    finished = provisioning.finish(created.tenant.id)
    assert finished.status == Tenant.Status.READY
    assert provisioning.finish(created.tenant.id).status == Tenant.Status.READY
    with Organization(finished, created.owner).inside():
        Project.objects.create(name="works")


def test_sign_up__of_one_name_many_times_at_once__gives_each_its_own_address(platform, database):
    with control("count"):
        before = Tenant.objects.count()
    schema_store.replenish(schemas=8)
    results: list[str] = []

    def work(number: int) -> None:
        try:
            email = f"race{number}@example.com"
            results.append(sign_up(organization="Race", email=email, password=PASSWORD).tenant.slug)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(results)) == 8
    with control("count"):
        assert Tenant.objects.count() == before + 8
        schemas = Placement.objects.filter(tenant__isnull=False, kind="schema").values_list("schema", flat=True)
        assert len(set(schemas)) == len(schemas)


def test_ensure_organization__twice__founds_it_once(platform, database):
    first = ensure_organization(organization="Once", owner_email="once@example.com")
    second = ensure_organization(organization="Once", owner_email="ONCE@example.com ")

    assert (first.created, second.created) == (True, False)
    assert first.tenant.id == second.tenant.id


def test_pool__that_is_full__is_followed_by_the_next(empty_store):
    provisioned = []
    for number in range(2):
        created = sign_up(
            organization=f"Full {number}", email=f"full{number}@example.com", password=PASSWORD, placement="pool"
        )
        provisioned.append(provisioning.finish(created.tenant.id))
        with control("fill the pool"):
            placement = Placement.objects.get(tenant=created.tenant)
            Pool.objects.filter(id=placement.pool_id).update(capacity=placement.pool.tenant_count)

    with control("look"):
        numbers = [Placement.objects.get(tenant=t).pool.number for t in provisioned]
    assert numbers[1] == numbers[0] + 1


def test_store__replenished__has_what_it_says(platform, database):
    stock = schema_store.replenish(schemas=3)

    with control("compare"):
        ready = set(Placement.objects.warm().filter(built=True).values_list("schema", flat=True))
    assert stock.schemas == len(ready) >= 3
    assert ready <= servers.schemas()


def test_store__with_a_noted_but_unbuilt_schema__builds_it(platform, database):
    with control("a killed run"):
        left = Placement.objects.create(kind="schema", schema="t_left_by_a_kill")

    schema_store.replenish()

    with control("look"):
        left.refresh_from_db()
        assert left.built
        left.delete()
    with connections[owner_alias()].cursor() as cursor:
        cursor.execute("DROP SCHEMA t_left_by_a_kill CASCADE")


def test_hold__twice__keeps_the_first_reason(acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)
    held = lifecycle.hold(slug=acme.tenant.slug, reason="another", actor=SYSTEM)

    assert held.hold_reason == "unpaid"
    assert not lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM).is_held
    assert not lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM).is_held


@pytest.mark.parametrize(("slug", "reason", "error"), [("nobody", "x", TenantNotFound), ("", " ", IllegalTransition)])
def test_hold__of_nobody_or_for_nothing__is_refused(platform, database, slug, reason, error):
    with pytest.raises(error):
        lifecycle.hold(slug=slug, reason=reason, actor=SYSTEM)


def test_database__that_is_built_and_not_yet_given__is_migrated_with_the_fleet(platform, database, monkeypatch):
    created = sign_up(organization="Slow", email="slow@example.com", password=PASSWORD, placement="database")
    monkeypatch.setattr(provisioning, "_claim", lambda tenant: False)  # what a kill leaves
    provisioning.finish(created.tenant.id)
    with control("look"):
        own = TenantDatabase.objects.get(tenant=created.tenant)
    place = SchemaLocation(own.name, own.schema, "database")

    assert place in all_locations()
    assert migrate(next_release(add_color()), [place], canaries=1).is_complete


def test_database_placement__has_credentials_of_its_own(platform, database):
    urls = {o.tenant._placement().database.url.reveal() for o in platform["database"]}

    assert len(urls) == 2
    assert not any(settings.DATABASE_URL.split("@")[0] in url for url in urls)


@pytest.fixture
def left_behind(platform, database):
    """A schema that waits longer than any other, and that a tenant has moved out of."""
    schema_store.replenish()
    with control("leave a schema"):
        placement = Placement.objects.warm().filter(built=True).first()
        first = Placement.objects.order_by("created_at").first()
        changes = {"state": Placement.State.LEFT, "created_at": first.created_at - timedelta(days=1)}
        Placement.objects.filter(id=placement.id).update(**changes)
    yield placement
    with control("put it back"):
        Placement.objects.filter(id=placement.id).update(state=Placement.State.WARM, created_at=placement.created_at)


def test_schema__that_its_tenant_has_left__is_given_to_nobody(left_behind):
    stock = schema_store.stock()

    newcomers = [create_organization() for _ in range(stock.schemas + 1)]

    assert left_behind.schema not in {newcomer.context.schema for newcomer in newcomers}
    assert schema_store.replenish().schemas >= 1
    with control("look at it"):
        assert Placement.objects.get(id=left_behind.id).tenant_id is None


def test_schema__that_its_tenant_has_left__is_migrated_until_nothing_is_left_in_it(left_behind):
    location = SchemaLocation(None, left_behind.schema, "schema")
    assert location in all_locations()

    with control("retire it"):
        Placement.objects.filter(id=left_behind.id).update(state=Placement.State.RETIRED)

    assert location.schema not in {one.schema for one in all_locations()}


def test_claim__by_the_release_before__is_noted_when_the_store_is_looked_after(acme):
    with control("claim as the release before does"):
        Placement.objects.filter(tenant_id=acme.tenant.id).update(state=Placement.State.WARM)

    schema_store.replenish()

    with control("look at it"):
        assert Placement.objects.get(tenant_id=acme.tenant.id).state == Placement.State.USED


def test_placement__that_was_left__has_no_tenant(acme):
    with control("leave a tenant behind"), pytest.raises(IntegrityError, match="tenants_placement_state"):
        Placement.objects.filter(tenant_id=acme.tenant.id).update(state=Placement.State.LEFT)
