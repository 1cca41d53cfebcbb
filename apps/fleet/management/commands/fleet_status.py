from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ...console import INCOMPLETE, in_one_line
from ...services.status import FleetStatus, fleet_status

SHOWN_DIFFERENCES = 20  # of each location; --json has all


class Command(BaseCommand):
    help = (
        "Say which schemas are at this release, and which are not and why. With --deep, compare each with a new one, "
        "column by column. Exit codes: 0 all are at it, 1 not possible, 2 wrong usage, 3 some are not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deep", action="store_true", help="compare what the database has, not what is noted")
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        with in_one_line():
            report = fleet_status(deep=options["deep"], progress=_Compared(self))
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), default=str))
        else:
            self._show(report)
        if not report.is_converged:
            sys.exit(INCOMPLETE)

    def _show(self, report: FleetStatus) -> None:
        self.stdout.write(f"release {report.release}: {report.schemas} schemas")
        for (kind, status), number in sorted(report.counts.items()):
            self.stdout.write(f"  {kind:<9} {status:<12} {number:>6}")
        for row in report.quarantine:
            self.stdout.write(
                f"in quarantine since {row.since:%Y-%m-%d %H:%M}, tried {row.attempts}x: {row}: {row.error}"
            )
        for location, differences in report.misshapen.items():
            self.stdout.write(f"unlike a new schema: {location}")
            for line in differences[:SHOWN_DIFFERENCES]:
                self.stdout.write(f"  {line}")
        if report.last_run:
            self.stdout.write(f"last run: {report.last_run}")


class _Compared:
    """Says on a terminal how many schemas have been compared."""

    def __init__(self, this: BaseCommand) -> None:
        self.this, self.compared = this, 0

    def __call__(self, more: int) -> None:
        self.compared += more
        if self.this.stderr.isatty():
            self.this.stderr.write(f"\r\x1b[K{self.compared} schemas compared", ending="")
            self.this.stderr.flush()
