"""A kept connection is parted with once its server process remembers too many schemas."""

from __future__ import annotations

from django.db import close_old_connections, connections

from apps.projects.models import Project
from apps.tenancy.context import use
from apps.tenancy.postgresql import base
from tests.factories import Organization


def touch(organization: Organization) -> int:
    """Read something of an organization, as a request does; the server process that answered."""
    with use(organization.context), connections["default"].cursor() as cursor:
        assert Project.objects.count() == 0
        cursor.execute("SELECT pg_backend_pid()")
        process = int(cursor.fetchone()[0])
    close_old_connections()
    return process


def test_connection__that_has_touched_too_many_schemas__is_replaced(platform, database, monkeypatch):
    monkeypatch.setattr(base, "SCHEMAS_PER_CONNECTION", 1)
    connections["default"].close()
    first, second = platform["schema"]

    processes = [touch(first), touch(first), touch(second), touch(first)]

    assert processes[0] == processes[1] == processes[2] != processes[3]


def test_connection__that_serves_a_pool__is_kept_however_many_tenants_there_are(platform, database, monkeypatch):
    monkeypatch.setattr(base, "SCHEMAS_PER_CONNECTION", 1)
    connections["default"].close()

    assert len({touch(organization) for organization in platform["pool"] * 3}) == 1
