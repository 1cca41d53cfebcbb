"""How the schemas stand to this release."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from apps.tenancy.context import control
from apps.tenancy.schemas.release import Release, this_release
from apps.tenants.schemas import Place, all_places

from ..likeness import differences
from ..models import MigrationRun, Quarantine
from ..survey import Standing, survey


@dataclass
class FleetStatus:
    """Counts by kind of place and standing, what is in quarantine, and what is unlike a new schema."""

    release: str
    schemas: int
    counts: dict[tuple[str, str], int]
    quarantine: list[Quarantine]
    last_run: MigrationRun | None
    misshapen: dict[Place, list[str]] = field(default_factory=dict)

    @property
    def is_converged(self) -> bool:
        return all(standing == Standing.CURRENT for _, standing in self.counts) and not self.misshapen

    def as_json(self) -> dict[str, Any]:
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for (kind, standing), number in self.counts.items():
            counts[kind][standing] = number
        return {
            "release": self.release,
            "schemas": self.schemas,
            "converged": self.is_converged,
            "placements": counts,
            "quarantine": [
                {"schema": str(row), "error": row.error, "attempts": row.attempts, "since": row.since}
                for row in self.quarantine
            ],
            "unlike_a_new_schema": {str(place): lines for place, lines in self.misshapen.items()},
            "last_run": str(self.last_run) if self.last_run else None,
        }


def fleet_status(*, deep: bool = False, release: Release | None = None) -> FleetStatus:
    """How every schema stands; ``deep`` also compares each with a new one, as the database has it."""
    release = release or this_release()
    places = all_places()
    found = survey(release, places)
    with control("read the state of the fleet"):
        quarantine = list(Quarantine.objects.all())
        last_run = MigrationRun.objects.order_by("started_at").last()
    counts = dict(Counter((f.place.kind, str(f.standing)) for f in found))
    status = FleetStatus(release.fingerprint, len(places), counts, quarantine, last_run)
    if deep:
        reachable = [one.place for one in found if one.standing != Standing.UNREACHABLE]
        status.misshapen = differences(release, reachable)
    return status
