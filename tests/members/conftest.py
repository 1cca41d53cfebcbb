"""An organization to leave and to take over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.accounts.models import Membership
from apps.tenancy.context import control
from tests.support.factories import Organization, create_organization


@pytest.fixture
def firm(platform, database) -> Iterator[Organization]:
    """An organization of which nothing needs to be left."""
    organization = create_organization(placement="pool")
    yield organization
    with control("clean up"):
        Membership.objects.filter(tenant=organization.tenant).delete()
