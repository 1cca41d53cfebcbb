"""Migrations of the control plane."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from apps.tenancy import databases
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.planes import CONTROL, control_models
from apps.tenancy.roles import PLATFORM_SCHEMA

LOCK = "fleet.control_migrations"


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
