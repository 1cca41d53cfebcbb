from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ...models import Tenant
from ...selectors import all_tenants


class Command(BaseCommand):
    help = "List organizations with their status and placement. Exit code 0."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = [_row(tenant) for tenant in all_tenants()]
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(row))
        elif rows:
            self._table([list(rows[0]), *(list(row.values()) for row in rows)])

    def _table(self, lines: list[list[str]]) -> None:
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for line in lines:
            self.stdout.write("  ".join(map(str.ljust, line, widths)).rstrip())


def _row(tenant: Tenant) -> dict[str, str]:
    placement = getattr(tenant, "placement", None)
    return {
        "id": str(tenant.id),
        "slug": tenant.slug,
        "status": "held" if tenant.is_held else tenant.status,
        "placement": tenant.requested_placement,
        "where": str(placement) if placement else "-",
        "created_at": tenant.created_at.isoformat(timespec="seconds"),
        "name": tenant.name,
    }
