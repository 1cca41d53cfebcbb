from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core.errors import DomainError

from ...services import people


class Command(BaseCommand):
    help = "Shut somebody out of every organization, at once. Exit codes: 0 done, 1 nobody has it, 2 wrong usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--undo", action="store_true", help="let them in again")

    def handle(self, *args: Any, **options: Any) -> None:
        is_active, actor = options["undo"], command("deactivate_person")
        try:
            person = people.set_active(email=options["email"], is_active=is_active, actor=actor)
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{person.email} may sign in again." if is_active else f"{person.email} is shut out.")
