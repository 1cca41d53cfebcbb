from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.tenants.locations import SchemaLocation, location_of

from ...console import INCOMPLETE, in_one_line, migrate_control_plane
from ...services import migration


class Command(BaseCommand):
    """Takes the location of django-tenants' command of the same name, which knows one placement."""

    help = (
        "Migrate the control plane and every tenant's schema, as migrate_fleet does. "
        "Exit codes: 0 up to date, 1 not possible, 2 wrong usage, 3 some schemas are in quarantine."
    )

    requires_system_checks: list[str] = []  # noqa: RUF012  see migrate_fleet

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--shared", action="store_true", help="only the control plane")
        which.add_argument("--tenant", action="store_true", help="only the tenants' schemas")
        which.add_argument("-s", "--schema", help="only the tenant with this schema name")

    def handle(self, *args: Any, **options: Any) -> None:
        with in_one_line():
            locations = [_location(options["schema"])] if options["schema"] else None
            if locations is None and not options["tenant"]:
                migrate_control_plane(self, verbosity=options["verbosity"])
            if options["shared"]:
                return
            outcome = migration.migrate_fleet(
                actor=command("migrate_schemas"), locations=locations, report=self._report
            )
        self.stdout.write(f"Tenant schemas that were behind: {outcome.behind}.")
        if not outcome.is_complete:
            sys.exit(INCOMPLETE)

    def _report(self, event: str, /, **details: Any) -> None:
        if event == "migrated":
            self.stdout.write(f"{details['schema']}: {details['how']}")
        elif event == "failed":
            self.stderr.write(f"{details['schema']}: {details['error']}")


def _location(schema_name: str) -> SchemaLocation:
    location = location_of(schema_name=schema_name)
    if location is None:
        raise CommandError(f"There is no tenant with the schema name '{schema_name}'.")
    return location
