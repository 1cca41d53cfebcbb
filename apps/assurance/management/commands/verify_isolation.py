from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.tenants.models import Placement

from ... import services
from ...checks import CheckResult
from ...errors import CannotRun
from ...report import IsolationReport
from ...services import Scope

HELD, BREACH, NOT_POSSIBLE = 0, 1, 2
WIDTH = 24


class Command(BaseCommand):
    help = (
        "Verify that this installation keeps tenants apart: read the catalog of every database, then attack "
        "organizations that are created for it and removed afterward. Exit codes: 0 every wall held, 1 a breach was "
        "found, 2 wrong usage or not possible."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check",
            type=_checks,
            action="extend",
            default=[],
            metavar="ID",
            help="only this check, or all of 'catalog' (which writes nothing) or 'attack'; may be repeated",
        )
        parser.add_argument(
            "--placement",
            choices=Placement.Kind.values,
            action="append",
            default=[],
            help="attack in this kind of placement only; may be repeated (default: those in use)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--html", type=_writable, metavar="FILE", help="also write a report to read and print")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scope = Scope(frozenset(options["check"]), tuple(options["placement"]))
            report = services.verify(scope, self._progress)
        except CannotRun as error:
            raise CommandError(error.message, returncode=NOT_POSSIBLE) from error
        finally:
            self._erase()
        self._say(report, as_json=options["json"])
        if options["html"]:
            options["html"].write_text(report.as_html())
        if report.result != CheckResult.HELD:
            sys.exit(BREACH if report.result == CheckResult.BREACH else NOT_POSSIBLE)

    def _say(self, report: IsolationReport, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(report.as_json(), indent=2))
            return
        for line in report.as_lines():
            self.stdout.write(line)

    def _progress(self, text: str, done: int, total: int) -> None:
        if self.stderr.isatty():
            bar = ("█" * (WIDTH * done // total)).ljust(WIDTH, "░")
            self.stderr.write(f"\r\x1b[K{bar} {done}/{total}  {text[:90]}", ending="")
            self.stderr.flush()

    def _erase(self) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r\x1b[K", ending="")


def _checks(text: str) -> list[str]:
    found = [check.id for check in services.all_checks() if text in (check.id, check.id.partition(".")[0])]
    if not found:
        known = ", ".join(check.id for check in services.all_checks())
        raise ArgumentTypeError(f"there is no check '{text}'; there are {known}")
    return found


def _writable(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise ArgumentTypeError(f"'{text}' cannot be written: its folder does not exist, or it is one")
    return path
