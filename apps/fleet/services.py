"""Migrations of the control plane and of every tenant's schema, and events that got stuck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from apps.audit import services as audit
from apps.audit.actors import Actor, Thing
from apps.tenancy import blueprint, databases, outbox
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.planes import CONTROL, control_models
from apps.tenancy.roles import PLATFORM_SCHEMA
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Pool

from .errors import EventGone
from .selectors import open_outbox

LOCK = "fleet.migrations"


@dataclass(frozen=True)
class PhysicalSchema:
    """A schema of tenant tables in a database; no database name means the control database."""

    database: str | None
    schema: str


def migrate_control(*, verbosity: int = 0) -> None:
    """Bring the control plane's tables up to date."""
    alias = databases.owner_alias()
    connection: Any = connections[alias]
    with databases.owner_lock(LOCK):
        connection.enter_schema(CONTROL, "public", PLATFORM_SCHEMA)
        try:
            MigrateCommand().execute(
                database=alias,
                app_label=None,
                migration_name=None,
                interactive=False,
                verbosity=verbosity,
                fake=False,
                fake_initial=False,
                plan=False,
                check_unapplied=False,
                run_syncdb=False,
                prune=False,
                skip_checks=True,
                force_color=False,
                no_color=False,
                stdout=None,
                stderr=None,
                traceback=False,
            )
        finally:
            connection.migration_plane = None
            connection.close()


def migrate_tenants(*, progress: Callable[[PhysicalSchema, int], None] = lambda *_: None) -> int:
    """Bring every schema of tenant tables up to date, warm ones included. Returns how many were behind."""
    behind = 0
    with databases.owner_lock(LOCK):
        for place in physical_schemas():
            applied = migrate_place(place)
            behind += bool(applied)
            progress(place, applied)
    return behind


def migrate_place(place: PhysicalSchema) -> int:
    """Bring one schema up to date. Returns the number of migrations that were applied."""
    return len(blueprint.migrate_schema(databases.owner_alias(place.database), place.schema))


def physical_schemas() -> list[PhysicalSchema]:
    with control("enumerate placements"):
        pools = [
            PhysicalSchema(None, schema) for schema in Pool.objects.filter(built=True).values_list("schema", flat=True)
        ]
        own = Placement.objects.filter(pool__isnull=True, built=True).values_list("database__name", "schema")
        return [*pools, *(PhysicalSchema(*row) for row in own)]


def place_of(schema_name: str) -> PhysicalSchema | None:
    """The physical schema behind a tenant's logical name."""
    with control("find placement"):
        row = Placement.objects.filter(tenant__schema_name=schema_name).values_list("database__name", "schema").first()
    return PhysicalSchema(*row) if row else None


def control_migrations_missing() -> list[tuple[str, str]]:
    """Control-plane migrations of this release that the database has not seen; needs the control context."""
    with connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute("SELECT app, name FROM platform.django_migrations")
        applied = set(cursor.fetchall())
    return [node for node in _control_migrations() if node not in applied]


@lru_cache(maxsize=1)
def _control_migrations() -> tuple[tuple[str, str], ...]:
    labels = {model._meta.app_label for model in control_models()}
    return tuple(node for node in MigrationLoader(None).graph.nodes if node[0] in labels)


def retry_event(*, event_id: UUID, database: str, actor: Actor) -> None:
    """Hand an event of a database's outbox over again at once. Raises EventGone.

    The outbox is no part of the control plane, so the record comes first: none may be retried without one.
    """
    name = open_outbox(database)
    with control("retry an event"), atomic():
        audit.record("outbox.retried", actor=actor, resource=Thing(type="event", id=str(event_id)), database=name)
    if not outbox.retry(event_id, database=name):
        raise EventGone
