from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.template.defaultfilters import filesizeformat

from apps.core.errors import first_line

from ...capacity import CLOSE, NEAR, Report, ServerWall, capacity

A_WALL_IS_NEAR, NOT_POSSIBLE = 1, 2
BAR = 20
HEADERS = ["", "now", "limit", "", "", "organizations left"]
UNKNOWN = "?"


class Command(BaseCommand):
    help = (
        "Say how far each wall of the database server is, and what to do about those that are near. "
        f"Exit codes: 0 all are far, 1 one is near ({NEAR} % or more) or a setting is too small, "
        "2 not possible, or wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reports = capacity()
        except DatabaseError as error:
            raise CommandError(first_line(error), returncode=NOT_POSSIBLE) from error
        if options["json"]:
            self.stdout.write(json.dumps({"servers": [report.as_json() for report in reports]}))
        else:
            for report in reports:
                self._show(report)
        if not all(report.is_fine for report in reports):
            sys.exit(A_WALL_IS_NEAR)

    def _show(self, report: Report) -> None:
        self.stdout.write(f"server {report.server}: {report.schemas:,} schemas of tenants")
        lines = [HEADERS, *map(_row, report.walls)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEADERS))]
        for name, *numbers, bar, left in lines:
            aligned = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=False)]
            cells = [name.ljust(widths[0]), *aligned, bar.ljust(widths[-2]), left.rjust(widths[-1])]
            self.stdout.write("  ".join(cells).rstrip())
        for wall in report.walls:
            if wall.is_near:
                self.stdout.write(f"{'!!' if (wall.percent or 0) >= CLOSE else '!'} {wall.name}: {wall.advice}")
        for setting in report.small:
            self.stdout.write(f"! {setting}.")


def _row(wall: ServerWall) -> list[str]:
    limit = UNKNOWN if wall.limit is None else _amount(wall.limit, wall.unit)
    left = "" if wall.organizations_left is None else f"{wall.organizations_left:,}"
    if wall.percent is None:
        return [wall.name, _amount(wall.value, wall.unit), limit, UNKNOWN, "", left]
    filled = min(round(BAR * wall.percent / 100), BAR)
    bar = f"[{'#' * filled}{'.' * (BAR - filled)}]"
    return [wall.name, _amount(wall.value, wall.unit), limit, f"{wall.percent} %", bar, left]


def _amount(amount: float, unit: str) -> str:
    if unit == "bytes":
        return filesizeformat(amount).replace("\xa0", " ")
    return f"{amount:,.1f} s" if unit == "seconds" else f"{amount:,.0f}"
