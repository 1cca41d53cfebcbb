"""What a test adds, changes and takes away is as before when the next one begins."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import Membership, User
from apps.tenancy.context import control
from apps.tenancy.planes import control_models, tenant_models
from apps.tenants.models import Domain, Placement, Tenant
from tests.support import servers
from tests.support.baseline import OUTLIVING
from tests.support.factories import Organization, create_organization
from tests.support.things import THINGS, Belongings

RESTORED = [model for model in control_models() if OUTLIVING.get(model._meta.label) != "true"]
FOUNDED = {"tenants.Domain", "tenants.Placement"}  # which every organization has one of


def everything(organizations: list[Organization]) -> dict[Any, Any]:
    """All rows that are to be as they were: of the control plane, of the organizations, and of all outboxes."""
    found: dict[Any, Any] = {}
    with servers.as_administrator() as connection:
        for model in RESTORED:
            stays = OUTLIVING.get(model._meta.label, "false")
            query = f'SELECT t::text FROM "{model._meta.db_table}" AS t WHERE NOT ({stays}) ORDER BY 1'
            found[model._meta.label] = connection.execute(query).fetchall()
    for organization in organizations:
        tables = [f'"{organization.home.schema}"."{model._meta.db_table}"' for model in tenant_models()]
        with servers.as_operator(organization.database) as connection:
            for table in ["platform.outbox", *tables]:
                found[organization.host, table] = connection.execute(f"SELECT t::text FROM {table} AS t").fetchall()
    return found


@pytest.fixture
def organizations(platform, database) -> list[Organization]:
    return [organization for pair in platform.values() for organization in pair]


def test_reset__after_one_of_everything_was_made__leaves_nothing_of_it(organizations, reset):
    before = everything(organizations)
    for organization in organizations:
        its = Belongings(organization, "added")
        assert all(its[label].pk for label in THINGS)
    added = everything(organizations)
    assert all(added[label] != before[label] for label in THINGS if label in before and label not in FOUNDED)

    reset()

    assert everything(organizations) == before
    assert not any(list(organization.folder.rglob("*")) for organization in organizations)


def test_reset__after_rows_were_changed_and_removed__puts_them_back(organizations, reset):
    before, (one, other, *_) = everything(organizations), organizations
    with control("change"):
        Tenant.objects.update(name="Changed", held_at=one.tenant.created_at, hold_reason="changed")
        User.objects.update(password="changed")
        Membership.objects.filter(tenant=one.tenant).delete()
        Domain.objects.filter(tenant=other.tenant).delete()
        Placement.objects.filter(tenant=other.tenant).update(schema="t_changed")
    assert everything(organizations) != before

    reset()

    assert everything(organizations) == before


def test_reset__after_an_organization_was_created__leaves_nobody_new(organizations, reset):
    before = everything(organizations)
    create_organization(placement="pool")

    reset()

    assert everything(organizations) == before
