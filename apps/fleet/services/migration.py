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
from apps.tenants.schemas import POOL, Place, all_places

from .. import canary
from ..errors import NothingQuarantined
from ..migrator import Migrator, Result
from ..models import MigrationRun, MigrationWave, Quarantine
from ..survey import Found, Standing, prepare_ledgers, survey

LOCK = "fleet.migrations"
RETRY_REQUESTED = "fleet.retry_requested"
CANARIES, WORKERS = 3, 4
NOTED_EVERY = 100  # schemas, on the row of a wave

Status = MigrationRun.Status
Wave = tuple[str, list[Found]]


class Report(Protocol):
    """Told of everything as it happens: the name of an event, and what belongs to it."""

    def __call__(self, event: str, /, **details: Any) -> None: ...


@dataclass
class Outcome:
    """What a run has done, and what it has left."""

    places: int
    behind: int
    migrated: int = 0
    failed: dict[Place, str] = field(default_factory=dict)
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
    places: Sequence[Place] | None = None,
    canaries: int = CANARIES,
    workers: int = WORKERS,
    report: Report = lambda event, /, **details: None,
) -> Outcome:
    """Bring places (default: all there are) to a release (default: this one). One run at a time.

    Canaries are migrated first; if one of them is not well the others are left alone. A schema that fails after that
    is quarantined with its error and tried again by the next run, after all others. Killed at any point, the next run
    goes on from there.
    """
    release = release or this_release()
    with databases.owner_lock(LOCK):
        _note_killed_runs()
        chosen = all_places() if places is None else places
        prepare_ledgers({place.database for place in chosen})
        found = survey(release, chosen)
        waiting = [f for f in found if f.standing not in (Standing.CURRENT, Standing.AHEAD)]
        quarantined = _quarantined_keys()
        if places is None:  # those of places that there are no more
            _release_from_quarantine(quarantined - {f.place.key for f in found})
            done = quarantined
        else:  # what another release could not do, its own run knows better
            done = _quarantined_keys(fingerprint=release.fingerprint)
        report("surveyed", places=len(found), **Counter(str(f.standing) for f in found))
        outcome = Outcome(places=len(found), behind=len(waiting))
        outcome.failed = _still_ill(release, [f for f in found if f.place.key in done and f not in waiting])
        for place, error in outcome.failed.items():
            report("failed", schema=str(place), error=error)
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
        outbox.emit(RETRY_REQUESTED, {})
        audit.record("fleet.retry_requested", actor=actor, resource=run, schemas=number)
    return number


def quarantined_places() -> list[Place]:
    """The places of the schemas in quarantine."""
    keys = _quarantined_keys()
    return [place for place in all_places() if place.key in keys]


@dataclass
class _Run:
    """One run, noted in the control plane as it goes."""

    release: Release
    actor: Actor
    workers: int
    report: Report
    outcome: Outcome
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

    def _carry_out_wave(self, number: int, name: str, found: list[Found]) -> None:
        self.report("wave_began", wave=name, number=number, schemas=len(found))
        with control("begin a wave"):
            wave = MigrationWave.objects.create(run=self.row, number=number, name=name, schemas=len(found))
        for result in self.migrator.migrate(found, workers=self.workers):
            self._note(wave, result)
        if name == "canary":
            self._examine(wave, [f.place for f in found])
        with control("end a wave"):
            wave.finished_at = timezone.now()
            wave.save()
        self.report("wave_ended", wave=name, number=number, done=wave.done, failed=wave.failed)

    def _note(self, wave: MigrationWave, result: Result) -> None:
        if result.error:
            wave.failed += 1
            self._quarantine(result.place, result.error)
        else:
            wave.done += 1
            self.outcome.migrated += 1
            _release_from_quarantine({result.place.key} & self.quarantined)
            self.report("migrated", schema=str(result.place), how=result.how, seconds=round(result.seconds, 3))
        if (wave.done + wave.failed) % NOTED_EVERY == 0:
            with control("note the progress of a wave"):
                wave.save()

    def _examine(self, wave: MigrationWave, places: list[Place]) -> None:
        """Look whether the canaries are well, and stop the run if not."""
        well = [place for place in places if place not in self.outcome.failed]
        for place, ailment in canary.ailments(self.release, well).items():
            wave.failed += 1
            self._quarantine(place, ailment)
        if wave.failed:
            self.outcome.stopped = f"{wave.failed} of {len(places)} canaries are not well"
            self.report("stopped", reason=self.outcome.stopped)

    def _quarantine(self, place: Place, error: str) -> None:
        self.outcome.failed[place] = error
        self.report("failed", schema=str(place), error=error)
        database, schema = place.key
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


def _waves(waiting: list[Found], canaries: int, quarantined: set[tuple[str, str]]) -> Iterator[Wave]:
    """Canaries, pools, the others; last those that failed before."""
    fresh = [f for f in waiting if f.place.key not in quarantined]
    chosen = canary.choose([f for f in fresh if f.standing == Standing.BEHIND], canaries)
    first = {f.place.key for f in chosen}
    rest = [f for f in fresh if f.place.key not in first]
    waves = [
        ("canary", chosen),
        ("pools", [f for f in rest if f.place.kind == POOL]),
        ("schemas", [f for f in rest if f.place.kind != POOL]),
        ("quarantined", [f for f in waiting if f.place.key in quarantined]),
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


def _still_ill(release: Release, found: list[Found]) -> dict[Place, str]:
    """Of schemas in quarantine that are at the release, as canaries may be, those that are not well; others leave."""
    current = [f.place for f in found if f.standing == Standing.CURRENT]
    ill = canary.ailments(release, current) if current else {}
    _release_from_quarantine({f.place.key for f in found if f.place not in ill})
    return ill


def _release_from_quarantine(keys: set[tuple[str, str]]) -> None:
    with control("release schemas from quarantine"):
        for database, schema in keys:
            Quarantine.objects.filter(database=database, schema=schema).delete()
