from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from ... import translations


class Command(BaseCommand):
    help = "Write the texts of code and templates to locale/, and say what is not translated yet, or was before."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def handle(self, *args: Any, **options: Any) -> None:
        for language in translations.languages():
            before = translations.translations(language)
            after = translations.collect(language)
            for line in (*translations.faults(after), *translations.hints(before, after)):
                self.stdout.write(f"{language}: {line}")
