from __future__ import annotations

import sys
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db.migrations.loader import MigrationLoader

from ...schemas.migration_rules import objections

OWN = "apps."


class Command(BaseCommand):
    help = (
        "Refuse migrations that lock people out or break the release before: see docs/migrations.md. "
        "Exit codes: 0 none, 1 some."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012  it needs no database

    def handle(self, *args: Any, **options: Any) -> None:
        loader = MigrationLoader(None)
        own = {config.label for config in apps.get_app_configs() if config.name.startswith(OWN)}
        found = 0
        for key in sorted(loader.disk_migrations):
            for objection in objections(loader, loader.disk_migrations[key]) if key[0] in own else ():
                found += 1
                self.stderr.write(f"{key[0]}.{key[1]}: {objection}")
        if found:
            sys.exit(1)
