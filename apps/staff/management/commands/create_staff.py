from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from getpass import getpass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.core import addresses
from apps.core.errors import DomainError

from ... import services

PASSWORD = "STAFF_PASSWORD"  # noqa: S105  the variable's name


class Command(BaseCommand):
    help = (
        f"Make somebody staff, or give staff other rights and a new password. It is read from {PASSWORD}, or asked "
        "for. Exit codes: 0 done, 1 not possible, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--superuser", action="store_true", help="may see and act on every organization")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            addresses.checked(options["email"])
            person = services.appoint(
                email=options["email"],
                password=_password(),
                is_superuser=options["superuser"],
                actor=command("create_staff"),
            )
        except ValidationError as error:
            raise CommandError("--email is not an e-mail address.", returncode=2) from error
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{person.email} is {'a superuser' if person.is_superuser else 'staff'}.")


def _password() -> str:
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if not sys.stdin.isatty():
        raise CommandError(f"There is nobody to ask for a password: set {PASSWORD}.", returncode=2)
    password = getpass("Password (at least 15 characters): ")
    if password != getpass("Once more: "):
        raise CommandError("The two passwords differ.", returncode=2)
    return password
