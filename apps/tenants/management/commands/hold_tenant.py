from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ...services import lifecycle


class Command(BaseCommand):
    help = "Close an organization to everybody. Exit codes: 0 held (or was already), 1 not possible, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--reason", required=True, help="shown to everybody who opens its address")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = lifecycle.hold(slug=options["slug"], reason=options["reason"], actor=command("hold_tenant"))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{tenant.slug} is on hold: {tenant.hold_reason}")
