from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.tenancy.errors import DatabaseNotConfigured

from ...services import schema_store


class Command(BaseCommand):
    help = "Build schemas and pools until enough are ready to be claimed. Exit codes: 0 enough, 1 not possible."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--schemas", type=_count, help="how many to have ready (default: WARM_SCHEMAS)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stock = schema_store.replenish(schemas=options["schemas"], progress=self._progress)
        except DatabaseNotConfigured as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{stock.schemas} schemas and {stock.pool_places} pool places are ready.")

    def _progress(self, schema: str) -> None:
        self.stdout.write(f"built {schema}")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError("a number of schemas, 0 or more")
    return int(text)
