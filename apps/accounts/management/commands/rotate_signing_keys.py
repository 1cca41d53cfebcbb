from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.audit.actors import command

from ...services import signing_keys


class Command(BaseCommand):
    help = (
        "Make a new key for signing tokens. It signs once every verifier can know it; nobody is signed out. "
        "Exit codes: 0 done, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--compromised",
            action="store_true",
            help="the keys in use have leaked: void all tokens they signed, within the minute",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = command("rotate_signing_keys")
        make = signing_keys.replace_signing_keys if options["compromised"] else signing_keys.rotate_signing_keys
        key = make(actor=actor)
        self.stdout.write(f"Key {key.id} signs from {key.signs_from.isoformat()}.")
