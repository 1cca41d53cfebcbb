from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ... import translations


class Command(BaseCommand):
    help = "Write the texts of code and templates to locale/, and say what is not translated yet."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, *args: Any, **options: Any) -> None:
        for language in translations.languages():
            for fault in translations.faults(translations.collect(language)):
                self.stdout.write(f"{language}: {fault}")
