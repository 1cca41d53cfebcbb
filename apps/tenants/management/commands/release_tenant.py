from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ...services import lifecycle


class Command(BaseCommand):
    help = "Lift the hold of an organization. Exit codes: 0 open, 1 not possible, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = lifecycle.release(slug=options["slug"], actor=command("release_tenant"))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{tenant.slug} is {tenant.status}.")
