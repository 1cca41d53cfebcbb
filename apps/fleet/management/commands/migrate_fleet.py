from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.audit.actors import command
from apps.tenants.locations import KINDS, SchemaLocation, all_locations, location_of

from ...console import INCOMPLETE, in_one_line, migrate_control_plane
from ...services import migration
from ...services.plan import Group, plan_fleet, rehearse
from ...survey import SchemaStatus


class Command(BaseCommand):
    help = (
        "Bring the control plane, then every tenant's schema to this release: canaries first, then the others. "
        "Exit codes: 0 all are there, 1 not possible, 2 wrong usage, 3 some schemas are in quarantine, or the "
        "canaries were not well and the others were left alone."
    )

    requires_system_checks: list[str] = []  # noqa: RUF012  pages do not matter here

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--canary", type=_count, default=migration.CANARIES, metavar="N", help="0 for none")
        parser.add_argument("--workers", type=_workers, default=migration.WORKERS, metavar="N", help="at once, 1 to 64")
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--tenant", metavar="SLUG", help="only the location of this one; nothing else is touched")
        which.add_argument("--placement", choices=KINDS, help="only locations of this kind; nothing else is touched")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--plan", action="store_true", help="say what would be done to which schemas")
        how.add_argument("--dry-run", action="store_true", help="do it to one schema of each group, take it back")
        parser.add_argument("--json", action="store_true", help="JSON lines, as without a terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = _Progress(self, as_json=options["json"] or not sys.stderr.isatty())
        with in_one_line():
            locations = _locations(options["tenant"], options["placement"])
            if options["plan"] or options["dry_run"]:
                groups = rehearse(locations) if options["dry_run"] else plan_fleet(locations)
                self._show_plan(groups, as_json=options["json"])
                return
            if not options["tenant"] and not options["placement"]:
                migrate_control_plane(self)
            outcome = migration.migrate_fleet(
                actor=command("migrate_fleet"),
                locations=locations,
                canaries=options["canary"],
                workers=options["workers"],
                report=progress,
            )
        if not outcome.is_complete:
            sys.exit(INCOMPLETE)

    def _show_plan(self, groups: list[Group], *, as_json: bool) -> None:
        for group in groups:
            if as_json:
                self.stdout.write(json.dumps(group.as_json()))
                continue
            way = "not possible" if group.error else "replayed" if group.is_replayed else "one by one"
            what = group.error or ", ".join(group.migrations) or "nothing but a note"
            self.stdout.write(f"{len(group.locations)} schemas ({group.kinds}), {way}: {what}")
            for statement in group.statements:
                self.stdout.write(f"  {statement}")
        if not groups and not as_json:
            self.stdout.write("Every schema is at this release.")


class _Progress:
    """Shows a run as it goes: one line that is written anew on a terminal, a JSON object per event elsewhere."""

    def __init__(self, this: BaseCommand, *, as_json: bool) -> None:
        self.this, self.as_json = this, as_json
        self.began = time.monotonic()
        self.behind = self.done = 0
        self.wave = ""

    def __call__(self, event: str, /, **details: Any) -> None:
        if self.as_json:
            self.this.stdout.write(json.dumps({"event": event, **details}))
            self.this.stdout.flush()
        else:
            getattr(self, f"_{event}")(**details)

    def _surveyed(self, *, locations: int, **statuses: int) -> None:
        self.behind = locations - statuses.get(SchemaStatus.CURRENT, 0) - statuses.get(SchemaStatus.AHEAD, 0)
        self._say(f"{locations} schemas, {self.behind} to migrate")

    def _wave_began(self, *, wave: str, **details: Any) -> None:
        self.wave = wave
        self._draw()

    def _migrated(self, **details: Any) -> None:
        self.done += 1
        self._draw()

    def _failed(self, *, schema: str, error: str) -> None:
        self.done += 1
        self._say(self.this.style.ERROR(f"{schema}: {error}"))
        self._draw()

    def _wave_ended(self, **details: Any) -> None:
        self._draw()

    def _stopped(self, *, reason: str) -> None:
        self._say(self.this.style.ERROR(f"Stopped: {reason}. The other schemas are as they were."))

    def _finished(self, *, migrated: int, failed: int, **details: Any) -> None:
        left = f", {failed} in quarantine (fleet_status shows why)" if failed else ""
        self._say(f"{migrated} schemas migrated in {time.monotonic() - self.began:.1f} s{left}")

    def _say(self, line: str) -> None:
        self.this.stderr.write(f"\r\x1b[K{line}")

    def _draw(self) -> None:
        elapsed = time.monotonic() - self.began
        left = elapsed / self.done * (self.behind - self.done) if self.done else 0
        full = round(30 * self.done / max(self.behind, 1))
        line = f"{self.wave:<12}[{'#' * full}{' ' * (30 - full)}] {self.done}/{self.behind}, {left:.0f} s left"
        self.this.stderr.write(f"\r\x1b[K{line}", ending="")
        self.this.stderr.flush()


def _locations(slug: str | None, kind: str | None) -> list[SchemaLocation] | None:
    """The chosen locations; None for all."""
    if slug:
        location = location_of(slug=slug)
        if location is None:
            raise CommandError(f"There is no organization '{slug}' that has a location.")
        return [location]
    return [location for location in all_locations() if location.kind == kind] if kind else None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError("a number, 0 or more")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise ArgumentTypeError("a number from 1 to 64")
    return int(text)
