from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import DomainError

from ... import demo


class Command(BaseCommand):
    help = "Make the demo organizations, in development. Exit codes: 0 they are there or left alone, 1 not possible."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo data, with its published passwords, is for ENVIRONMENT=development only.")
        for slug in demo.PLACEMENTS:
            try:
                made = demo.seed(slug)
            except DomainError as error:
                self.stderr.write(f"{slug}: left as it is: {error}")
            else:
                self.stdout.write(f"{slug}: {'made' if made else 'there already'}")
