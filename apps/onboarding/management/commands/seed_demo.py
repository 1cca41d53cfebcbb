from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ... import demo


class Command(BaseCommand):
    help = "Make the demo organizations (development only). Exit codes: 0 they are there, 1 not possible."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEVELOPMENT:
            raise CommandError("Demo data, with its published passwords, is for ENVIRONMENT=development only.")
        for slug in demo.PLACEMENTS:
            made = demo.seed(slug)
            self.stdout.write(f"{slug}: {'made' if made else 'there already'}")
