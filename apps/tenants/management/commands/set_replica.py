from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ...services import replicas


class Command(BaseCommand):
    help = (
        "Say where the streaming replica of an organization's own database is; pages are read from it then. "
        "Exit codes: 0 set (or was already), 1 not possible, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--address", metavar="HOST:PORT", help="same database, user and password as the primary")
        where.add_argument("--remove", action="store_true", help="read from the primary only")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, address = options["slug"], options["address"] or ""
        try:
            replicas.set_replica(slug=slug, address=address, actor=command("set_replica"))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{slug} is read from {address or 'its primary only'}")
