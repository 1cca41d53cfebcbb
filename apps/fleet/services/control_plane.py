"""Migrations of the control plane."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from django.apps import apps as django_apps
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections

from apps.tenancy import databases
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.planes import CONTROL, control_models
from apps.tenancy.schemas import ledger, owner
from apps.tenancy.schemas.release import MigrationKey, fingerprint_of, migrations_on_disk
from apps.tenancy.walls.roles import PLATFORM_SCHEMA

from ..survey import prepare_ledgers

LOCK = "fleet.control_migrations"


def migrate_control(*, verbosity: int = 0) -> None:
    """Bring the control plane's tables, content types and permissions up to date; nothing is touched if they are.

    A table that is locked is waited for a little, some times.
    """
    with databases.owner_lock(LOCK):
        prepare_ledgers([None])
        if _is_current():
            return
        owner.patiently(partial(_migrate, verbosity))
        with connections[databases.owner_alias()].cursor() as cursor:
            ledger.note(cursor, PLATFORM_SCHEMA, _contents())


def _is_current() -> bool:
    """Whether this release's migrations have run to their end here, and none has been taken back by hand since."""
    owner_alias = databases.owner_alias()
    if ledger.fingerprints(owner_alias, [PLATFORM_SCHEMA]).get(PLATFORM_SCHEMA) != _contents():
        return False
    with connections[owner_alias].cursor() as cursor:
        return not _missing(cursor)


def _contents() -> str:
    """A fingerprint of what the control plane has after a migration: tables, a content type for each model, rights."""
    rights = [
        (model._meta.label, f"{model._meta.default_permissions} {model._meta.permissions}")
        for model in django_apps.get_models(include_auto_created=True)
    ]
    return fingerprint_of([*_control_migrations(), *rights])


def _migrate(verbosity: int) -> None:
    alias = databases.owner_alias()
    connection: Any = connections[alias]
    connection.enter_schema(CONTROL, "public", PLATFORM_SCHEMA)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [owner.LOCK_TIMEOUT])
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


def control_migrations_missing() -> list[MigrationKey]:
    """Control-plane migrations of this release that the database has not seen; needs the control context."""
    with connections[CONTROL_ALIAS].cursor() as cursor:
        return _missing(cursor)


def _missing(cursor: Any) -> list[MigrationKey]:
    cursor.execute("SELECT app, name FROM platform.django_migrations")
    applied = set(cursor.fetchall())
    return [node for node in _control_migrations() if node not in applied]


@lru_cache(maxsize=1)
def _control_migrations() -> tuple[MigrationKey, ...]:
    labels = {model._meta.app_label for model in control_models()}
    return tuple(node for node in migrations_on_disk().graph.nodes if node[0] in labels)
