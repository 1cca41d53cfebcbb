"""Reads about the outboxes of all databases."""

from __future__ import annotations

from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenants.models import TenantDatabase

from .errors import OutboxNotFound


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
