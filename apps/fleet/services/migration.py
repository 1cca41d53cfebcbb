"""Bringing every schema to a release: canaries first, then the others. Who fails is put aside; nobody waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import F
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy import databases, outbox
from apps.tenancy.context import control
from apps.tenancy.schemas.release import Release, this_release
from apps.tenancy.transactions import atomic
from apps.tenants.locations import POOL, SchemaLocation, all_locations

from .. import canary
from ..errors import NothingQuarantined
from ..migrator import Migrator, SchemaResult
from ..models import MigrationRun, MigrationWave, Quarantine
from ..survey import SchemaStatus, SurveyedSchema, prepare_ledgers, survey

LOCK = "fleet.migrations"
MIGRATION_RETRY_REQUESTED = "fleet.retry_requested"
CANARIES, WORKERS = 3, 4
NOTED_EVERY = 100  # schemas, on the row of a wave

Status = MigrationRun.Status
Wave = tuple[str, list[SurveyedSchema]]


class Reporter(Protocol):
    """Told of everything as it happens: the name of an event, and what belongs to it."""

    def __call__(self, event: str, /, **details: Any) -> None: ...


@dataclass
class RunOutcome:
    """What a run has done, and what it has left."""

    locations: int
    behind: int
    migrated: int = 0
    failed: dict[SchemaLocation, str] = field(default_factory=dict)
    stopped: str = ""

    @property
    def status(self) -> MigrationRun.Status:
        if self.stopped:
            return Status.STOPPED
        return Status.INCOMPLETE if self.failed else Status.DONE

    @property
    def is_complete(self) -> bool:
        return self.status == Status.DONE


def migrate_fleet(
    *,
    actor: Actor,
    release: Release | None = None,
    locations: Sequence[SchemaLocation] | None = None,
    canaries: int = CANARIES,
    workers: int = WORKERS,
    report: Reporter = lambda event, /, **details: None,
) -> RunOutcome:
    """Bring locations (default: all there are) to a release (default: this one). One run at a time.

    Canaries are migrated first; if one of them is not well the others are left alone. A schema that fails after that
    is quarantined with its error and tried again by the next run, after all others. Killed at any point, the next run
    goes on from there.
    """
    release = release or this_release()
    with databases.owner_lock(LOCK):
        _note_killed_runs()
        chosen = all_locations() if locations is None else locations
        prepare_ledgers({location.database for location in chosen})
        found = survey(release, chosen)
        waiting = [f for f in found if f.status not in (SchemaStatus.CURRENT, SchemaStatus.AHEAD)]
        quarantined = _quarantined_keys()
        if locations is None:  # those of locations that there are no more
            _release_from_quarantine(quarantined - {f.location.key for f in found})
            done = quarantined
        else:  # what another release could not do, its own run knows better
            done = _quarantined_keys(fingerprint=release.fingerprint)
        report("surveyed", locations=len(found), **Counter(str(f.status) for f in found))
        outcome = RunOutcome(locations=len(found), behind=len(waiting))
        outcome.failed = _still_ill(release, [f for f in found if f.location.key in done and f not in waiting])
        for location, error in outcome.failed.items():
            report("failed", schema=str(location), error=error)
        if waiting:
            run = _Run(release, actor, workers, report, outcome, quarantined)
            run.carry_out(_waves(waiting, canaries, quarantined))
        report("finished", status=str(outcome.status), migrated=outcome.migrated, failed=len(outcome.failed))
    return outcome


def request_retry(*, actor: Actor) -> int:
    """Ask the process that may change schemas to try those in quarantine again. Raises NothingQuarantined."""
    with control("retry quarantined schemas"), atomic():
        number = Quarantine.objects.count()
        if not number:
            raise NothingQuarantined
        run = MigrationRun.objects.latest()
        outbox.emit(MIGRATION_RETRY_REQUESTED, {})
        audit.record("fleet.retry_requested", actor=actor, resource=run, schemas=number)
    return number


def quarantined_locations() -> list[SchemaLocation]:
    """The locations of the schemas in quarantine."""
    keys = _quarantined_keys()
    return [location for location in all_locations() if location.key in keys]


@dataclass
class _Run:
    """One run, noted in the control plane as it goes."""

    release: Release
    actor: Actor
    workers: int
    report: Reporter
    outcome: RunOutcome
    quarantined: set[tuple[str, str]]

    def __post_init__(self) -> None:
        self.migrator = Migrator(self.release)
        by = self.actor.id or self.actor.type
        with control("begin a fleet migration"):
            self.row = MigrationRun.objects.create(fingerprint=self.release.fingerprint, started_by=by)

    def carry_out(self, waves: Iterator[Wave]) -> None:
        status: MigrationRun.Status = Status.INTERRUPTED
        try:
            for number, (name, found) in enumerate(waves, start=1):
                self._carry_out_wave(number, name, found)
                if self.outcome.stopped:
                    break
            status = self.outcome.status
        finally:
            self._finish(status)

    def _carry_out_wave(self, number: int, name: str, found: list[SurveyedSchema]) -> None:
        self.report("wave_began", wave=name, number=number, schemas=len(found))
        with control("begin a wave"):
            wave = MigrationWave.objects.create(run=self.row, number=number, name=name, schemas=len(found))
        for result in self.migrator.migrate(found, workers=self.workers):
            self._note(wave, result)
        if name == "canary":
            self._examine(wave, [f.location for f in found])
        with control("end a wave"):
            wave.finished_at = timezone.now()
            wave.save()
        self.report("wave_ended", wave=name, number=number, done=wave.done, failed=wave.failed)

    def _note(self, wave: MigrationWave, result: SchemaResult) -> None:
        if result.error:
            wave.failed += 1
            self._quarantine(result.location, result.error)
        else:
            wave.done += 1
            self.outcome.migrated += 1
            _release_from_quarantine({result.location.key} & self.quarantined)
            self.report("migrated", schema=str(result.location), how=result.how, seconds=round(result.seconds, 3))
        if (wave.done + wave.failed) % NOTED_EVERY == 0:
            with control("note the progress of a wave"):
                wave.save()

    def _examine(self, wave: MigrationWave, locations: list[SchemaLocation]) -> None:
        """Look whether the canaries are well, and stop the run if not."""
        well = [location for location in locations if location not in self.outcome.failed]
        for location, ailment in canary.ailments(self.release, well).items():
            wave.failed += 1
            self._quarantine(location, ailment)
        if wave.failed:
            self.outcome.stopped = f"{wave.failed} of {len(locations)} canaries are not well"
            self.report("stopped", reason=self.outcome.stopped)

    def _quarantine(self, location: SchemaLocation, error: str) -> None:
        self.outcome.failed[location] = error
        self.report("failed", schema=str(location), error=error)
        database, schema = location.key
        now = {"error": error, "fingerprint": self.release.fingerprint}
        with control("put a schema in quarantine"):
            Quarantine.objects.update_or_create(
                database=database,
                schema=schema,
                defaults={**now, "attempts": F("attempts") + 1},
                create_defaults=now,
            )

    def _finish(self, status: MigrationRun.Status) -> None:
        counts: dict[str, Any] = {
            "migrated": self.outcome.migrated,
            "failed": len(self.outcome.failed),
            "status": str(status),
        }
        with control("end a fleet migration"), atomic():
            self.row.status, self.row.finished_at = status, timezone.now()
            self.row.save()
            audit.record("fleet.migrated", actor=self.actor, resource=self.row, **counts)


def _waves(waiting: list[SurveyedSchema], canaries: int, quarantined: set[tuple[str, str]]) -> Iterator[Wave]:
    """Canaries, pools, the others; last those that failed before."""
    fresh = [f for f in waiting if f.location.key not in quarantined]
    chosen = canary.choose([f for f in fresh if f.status == SchemaStatus.BEHIND], canaries)
    first = {f.location.key for f in chosen}
    rest = [f for f in fresh if f.location.key not in first]
    waves = [
        ("canary", chosen),
        ("pools", [f for f in rest if f.location.kind == POOL]),
        ("schemas", [f for f in rest if f.location.kind != POOL]),
        ("quarantined", [f for f in waiting if f.location.key in quarantined]),
    ]
    return ((name, found) for name, found in waves if found)


def _note_killed_runs() -> None:
    """None but the caller is running, as it holds the lock."""
    with control("note killed fleet migrations"):
        killed = MigrationRun.objects.filter(status=Status.RUNNING)
        killed.update(status=Status.INTERRUPTED, finished_at=timezone.now())


def _quarantined_keys(**of: str) -> set[tuple[str, str]]:
    with control("look at the quarantine"):
        return set(Quarantine.objects.filter(**of).values_list("database", "schema"))


def _still_ill(release: Release, found: list[SurveyedSchema]) -> dict[SchemaLocation, str]:
    """Of schemas in quarantine that are at the release, as canaries may be, those that are not well; others leave."""
    current = [f.location for f in found if f.status == SchemaStatus.CURRENT]
    ill = canary.ailments(release, current) if current else {}
    _release_from_quarantine({f.location.key for f in found if f.location not in ill})
    return ill


def _release_from_quarantine(keys: set[tuple[str, str]]) -> None:
    with control("release schemas from quarantine"):
        for database, schema in keys:
            Quarantine.objects.filter(database=database, schema=schema).delete()
