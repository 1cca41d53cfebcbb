"""Reads about the outboxes of all databases, and about fleet migrations."""

from __future__ import annotations

from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenants.models import TenantDatabase

from .errors import OutboxNotFound
from .models import MigrationRun, Quarantine


def outbox_names() -> list[str]:
    """The databases that have an outbox: the control plane's, and tenants' own."""
    with control("list outboxes"):
        own = TenantDatabase.objects.filter(built=True).order_by("name")
        return [CONTROL_ALIAS, *own.values_list("name", flat=True)]


def open_outbox(database: str) -> str:
    """The alias of a database by its name, usable in this process. Raises OutboxNotFound."""
    if database == CONTROL_ALIAS:
        return CONTROL_ALIAS
    with control("find an outbox"):
        found = TenantDatabase.objects.filter(name=database, built=True).first()
    if found is None:
        raise OutboxNotFound
    found.register()
    return found.alias


def recent_runs(number: int) -> list[MigrationRun]:
    """The last runs, newest first, with their waves."""
    with control("list fleet migrations"):
        return list(MigrationRun.objects.prefetch_related("waves")[:number])


def quarantine(limit: int) -> tuple[int, list[Quarantine]]:
    """How many schemas are in quarantine, and those that have been there longest."""
    with control("list the quarantine"):
        return Quarantine.objects.count(), list(Quarantine.objects.all()[:limit])
