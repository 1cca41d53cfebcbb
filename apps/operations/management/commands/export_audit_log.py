from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.export import as_csv, as_json_lines
from apps.audit.selectors import all_events
from apps.core.errors import DomainError
from apps.tenancy.context import use
from apps.tenants.selectors import tenant_for_slug

FORMATS = {"csv": as_csv, "jsonl": as_json_lines}


class Command(BaseCommand):
    help = (
        "Write all that was recorded about and inside an organization, newest first. "
        "Exit codes: 0 written, 1 not possible, 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", required=True)
        parser.add_argument("--format", choices=FORMATS, default="csv")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_for_slug(options["tenant"])
        if tenant is None:
            raise CommandError(f"There is no organization '{options['tenant']}'.")
        try:
            context = tenant.context()
        except DomainError as error:
            raise CommandError(error.message) from error
        with use(context):
            for piece in FORMATS[options["format"]](all_events(tenant_id=tenant.id)):
                self.stdout.write(piece.decode(), ending="")
