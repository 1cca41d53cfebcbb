from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ... import translations


class Command(BaseCommand):
    help = "Compile the translations in locale/."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, *args: Any, **options: Any) -> None:
        translations.build()
