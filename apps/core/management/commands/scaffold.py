from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ...scaffold import Resource, write_resource

NEXT = """
Then:
  read what was written, and give the {noun} the columns that it needs: models, services (FIELDS), forms, api, row
  make migration schema messages lint
  make test T="tests/test_{nouns}.py tests/isolation tests/test_audited_services.py tests/test_bad_requests.py"
How the parts belong together: docs/adding-a-feature.md"""


class Command(BaseCommand):
    help = (
        "Write the skeleton of a resource that is part of another one: pages, API, search, audit, tests. "
        "Exit codes: 0 written, 1 not possible, 2 wrong usage."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("noun", help="what one is called, such as: task")
        parser.add_argument("--app", required=True, help="the application it belongs to, such as: projects")
        parser.add_argument("--parent", required=True, help="what it is part of, such as: project")
        parser.add_argument("--plural", default="", help="what many are called (default: the noun with an s)")

    def handle(self, *args: Any, **options: Any) -> None:
        resource = Resource(options["noun"], options["app"], options["parent"], options["plural"])
        try:
            written = write_resource(Path(settings.BASE_DIR), resource)
        except ValueError as error:
            raise CommandError(str(error)) from error
        for path in written:
            self.stdout.write(str(path))
        self.stdout.write(NEXT.format(**resource.names))
