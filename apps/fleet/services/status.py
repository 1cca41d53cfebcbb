"""How the schemas stand to this release."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from apps.tenancy.context import control
from apps.tenancy.schemas.release import Release, this_release
from apps.tenants.locations import SchemaLocation, all_locations

from ..likeness import Progress, differences
from ..models import MigrationRun, Quarantine
from ..survey import SchemaStatus, survey


@dataclass
class FleetStatus:
    """Counts by kind of location and status, what is in quarantine, and what is unlike a new schema."""

    release: str
    schemas: int
    counts: dict[tuple[str, str], int]
    quarantine: list[Quarantine]
    last_run: MigrationRun | None
    misshapen: dict[SchemaLocation, list[str]] = field(default_factory=dict)

    @property
    def is_converged(self) -> bool:
        return all(status == SchemaStatus.CURRENT for _, status in self.counts) and not self.misshapen

    def as_json(self) -> dict[str, Any]:
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for (kind, status), number in self.counts.items():
            counts[kind][status] = number
        return {
            "release": self.release,
            "schemas": self.schemas,
            "converged": self.is_converged,
            "placements": counts,
            "quarantine": [
                {"schema": str(row), "error": row.error, "attempts": row.attempts, "since": row.since}
                for row in self.quarantine
            ],
            "unlike_a_new_schema": {str(location): lines for location, lines in self.misshapen.items()},
            "last_run": str(self.last_run) if self.last_run else None,
        }


def fleet_status(
    *, deep: bool = False, release: Release | None = None, progress: Progress = lambda _: None
) -> FleetStatus:
    """How every schema stands; ``deep`` also compares each with a new one, as the database has it."""
    release = release or this_release()
    locations = all_locations()
    found = survey(release, locations)
    with control("read the state of the fleet"):
        quarantine = list(Quarantine.objects.all())
        last_run = MigrationRun.objects.order_by("started_at").last()
    counts = dict(Counter((f.location.kind, str(f.status)) for f in found))
    status = FleetStatus(release.fingerprint, len(locations), counts, quarantine, last_run)
    if deep:
        reachable = [one.location for one in found if one.status != SchemaStatus.UNREACHABLE]
        status.misshapen = differences(release, reachable, progress)
    return status
