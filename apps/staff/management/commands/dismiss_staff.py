from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ... import services


class Command(BaseCommand):
    help = "Take somebody's rights on the platform, end their sessions. Exit codes: 0 done, 1 no staff, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = services.dismiss(email=options["email"], actor=command("dismiss_staff"))
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{person.email} is no staff any more.")
