"""Provisioning killed at any statement is finished by whoever comes next, and leaves nothing behind."""

from __future__ import annotations

from uuid import UUID

import pytest

from apps.projects.models import Project
from apps.tenancy.context import control, use
from apps.tenants.models import Placement, Pool, Tenant
from apps.tenants.services import provisioning, schema_store
from tests.slow.victims import killed_before, was_killed
from tests.support import servers

pytestmark = pytest.mark.slow


def finish(tenant_id: str) -> None:
    """What the killed process does."""
    provisioning.finish(UUID(tenant_id))


def waiting_tenant(kind: str) -> Tenant:
    """A tenant that signed up while the store was empty."""
    with control("empty the store"):
        for warm in Placement.objects.warm():
            with servers.as_owner() as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{warm.schema}" CASCADE')
            warm.delete()
        for pool in Pool.objects.all():
            Pool.objects.filter(id=pool.id).update(capacity=max(pool.tenant_count, 1))
        return Tenant.objects.create(
            name="Killed", slug=f"killed-{kind}", schema_name=f"killed_{kind}", requested_placement=kind
        )


@pytest.mark.parametrize("kind", ["schema", "pool", "database"])
def test_provisioning__killed_before_any_statement__is_finished_later(platform, database, kind):
    killed, statements, before = 0, 1, unknown_schemas()
    while True:
        tenant = waiting_tenant(kind)
        process = killed_before(statements, finish, str(tenant.id))
        killed += was_killed(process)

        finished = provisioning.finish(tenant.id)

        assert finished.status == Tenant.Status.READY, f"killed before statement {statements}"
        with use(finished.context()):
            Project.objects.create(name="works")
            assert Project.objects.count() == 1
        assert unknown_schemas() == before
        discard(finished)
        if not was_killed(process):
            process.check_returncode()
            break
        statements += 1 if statements < 40 else 4
    assert killed > 5


def unknown_schemas() -> set[str]:
    """Schemas that the control plane does not know; a replenishing finishes what was noted."""
    schema_store.replenish(schemas=0, pool_places=0)
    with control("compare"):
        known = {*Placement.objects.values_list("schema", flat=True), *Pool.objects.values_list("schema", flat=True)}
        assert not Placement.objects.filter(built=False).exists()
        assert not Pool.objects.filter(built=False).exists()
    return servers.schemas() - known


def discard(tenant: Tenant) -> None:
    """Take the tenant and its schema away again."""
    schema = tenant.context().schema
    if tenant.requested_placement == "schema":
        with servers.as_owner() as connection:
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
    with control("discard"):
        Placement.objects.filter(tenant=tenant).delete()
        tenant.delete()
