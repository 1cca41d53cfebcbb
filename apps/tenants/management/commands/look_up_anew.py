from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.memory import MemoryAway

from ... import directory
from ...selectors import tenant_for_slug


class Command(BaseCommand):
    help = (
        "Have all processes look an organization up anew, after its rows were changed past the services. "
        "Exit codes: 0 told, 1 not possible, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("slug", nargs="?")
        whom.add_argument("--all", action="store_true", help="all organizations")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = None if options["all"] else tenant_for_slug(options["slug"])
        if tenant is None and not options["all"]:
            raise CommandError(f"There is no organization '{options['slug']}'.")
        try:
            directory.tell([tenant and tenant.id])
        except MemoryAway as error:
            raise CommandError("The in-memory store does not answer.") from error
        self.stdout.write(f"{tenant.slug if tenant else 'every organization'} is looked up anew")
