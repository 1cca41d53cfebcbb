from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ...services import pools


class Command(BaseCommand):
    help = (
        "Say whether a pool takes new organizations; those in it stay. "
        "Exit codes: 0 set (or was already), 1 not possible, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--open", action="store_true", dest="is_open")
        what.add_argument("--closed", action="store_false", dest="is_open")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pool = pools.set_open(number=options["number"], is_open=options["is_open"], actor=command("set_pool"))
        except DomainError as error:
            raise CommandError(error.message) from error
        state = "open for" if pool.is_open else "closed to"
        self.stdout.write(f"{pool.schema} is {state} new organizations: {pool.tenant_count} of {pool.capacity}")
