from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from apps.fleet import services
from apps.fleet.services import PhysicalSchema
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.errors import DatabaseNotConfigured


class Command(BaseCommand):
    """Takes the place of django-tenants' command of the same name: it knows every placement."""

    help = "Migrate the control plane and every tenant's schema. Exit codes: 0 up to date, 1 not possible."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--shared", action="store_true", help="only the control plane")
        which.add_argument("--tenant", action="store_true", help="only the tenants' schemas")
        which.add_argument("-s", "--schema", help="only the tenant with this schema name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["schema"]:
                self._one(options["schema"])
                return
            if not options["tenant"]:
                services.migrate_control(verbosity=options["verbosity"])
                with control("check the public schema"):
                    self.check(databases=[CONTROL_ALIAS])
            if not options["shared"]:
                behind = services.migrate_tenants(progress=self._progress)
                self.stdout.write(f"Tenant schemas that were behind: {behind}.")
        except (DatabaseNotConfigured, DatabaseError) as error:
            raise CommandError(str(error).strip().splitlines()[0]) from error

    def _one(self, schema_name: str) -> None:
        place = services.place_of(schema_name)
        if place is None:
            raise CommandError(f"There is no tenant with the schema name '{schema_name}'.")
        self._progress(place, services.migrate_place(place))

    def _progress(self, place: PhysicalSchema, applied: int) -> None:
        if applied:
            self.stdout.write(f"{place.database or 'default'}/{place.schema}: {applied} migrations")
