"""Migrates one schema after the other, in several threads at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import psycopg
import structlog
from django.db import DatabaseError, connections

from apps.core.errors import first_line
from apps.tenancy import databases
from apps.tenancy.errors import SchemaChangedMeanwhile, SchemaDiverged
from apps.tenancy.postgresql.base import SCHEMAS_PER_CONNECTION
from apps.tenancy.schemas.release import MigrationKey, Release
from apps.tenancy.schemas.replay import SchemaScript, can_be_replayed, record, replay, step_through
from apps.tenants.locations import SchemaLocation, tenants_at

from .survey import SchemaStatus, SurveyedSchema, survey

log = structlog.get_logger(__name__)

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.2  # doubled after each attempt

RECORDED, REPLAYED, STEPPED = "recorded", "replayed", "stepped"


@dataclass(frozen=True)
class SchemaResult:
    """What became of one schema: how it was migrated, or why not."""

    location: SchemaLocation
    how: str
    seconds: float
    error: str = ""


class Migrator:
    """Knows a release, and the statements that bring schemas to it, once one of them has been migrated."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._scripts: dict[frozenset[MigrationKey], SchemaScript] = {}
        self._recording: dict[frozenset[MigrationKey], threading.Lock] = {}
        self._guard = threading.Lock()

    def migrate(self, found: Iterable[SurveyedSchema], *, workers: int) -> Iterator[SchemaResult]:
        """Migrate schemas that are behind, as they come; each result as soon as it is there."""
        yield from _in_threads(self._result, list(found), workers)

    def _result(self, found: SurveyedSchema) -> SchemaResult:
        began = time.monotonic()
        try:
            how, error = self._patiently(found), ""
        except (DatabaseError, psycopg.Error, SchemaDiverged, SchemaChangedMeanwhile) as failure:
            how, error = "", _said(failure, found.location)
        except (Exception, SystemExit) as failure:  # a migration's own code may raise anything; the others go on
            log.exception("migration_failed", schema=str(found.location))
            how, error = "", f"{type(failure).__name__}: {first_line(failure)}"
        finally:
            databases.close_owner(found.location.database)
        return SchemaResult(found.location, how, time.monotonic() - began, error)

    def _patiently(self, found: SurveyedSchema) -> str:
        """Migrate a schema; try again when it is locked, or when the connection was lost."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._migrate(found)
            except Exception as error:
                connections[databases.owner_alias(found.location.database)].close()
                if attempt == ATTEMPTS or not _may_pass(error):
                    raise
            time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            (found,) = survey(self.release, [found.location])  # it may have been committed, or another one did it
            if found.status in (SchemaStatus.CURRENT, SchemaStatus.AHEAD):
                return REPLAYED
        raise AssertionError("the last attempt returns or raises")

    def _migrate(self, found: SurveyedSchema) -> str:
        if found.state is None:
            raise DatabaseError(found.error or f"The schema is {found.status}.")
        alias, has = databases.owner_alias(found.location.database), found.state.applied
        if not can_be_replayed(self.release.missing(has)):
            step_through(alias, found.state, self.release, tenants_at(found.location, alias))
            return STEPPED
        with self._recording_of(has):
            if has not in self._scripts:
                self._scripts[has] = record(alias, found.state, self.release)
                return RECORDED
        replay(alias, found.state, self._scripts[has])
        return REPLAYED

    def _recording_of(self, applied: frozenset[MigrationKey]) -> threading.Lock:
        """One of the schemas that are alike goes first; the others wait for its statements."""
        with self._guard:
            return self._recording.setdefault(applied, threading.Lock())


def _said(failure: Exception, location: SchemaLocation) -> str:
    """What an error says to staff, who read the quarantine; never the value of a row, which PostgreSQL quotes."""
    cause = failure.__cause__ or failure
    if isinstance(cause, psycopg.DataError):
        log.warning("migration_met_value", schema=str(location), error=first_line(failure))
        return f"A row has a value that does not fit ({type(cause).__name__}); the log says which."
    return first_line(failure)


def _may_pass(error: Exception) -> bool:
    cause = error.__cause__
    passing = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
    lost = isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError) and cause.sqlstate in (None, "57P01")
    return isinstance(error, SchemaChangedMeanwhile) or isinstance(cause, passing) or lost


def _in_threads(
    work: Callable[[SurveyedSchema], SchemaResult], jobs: list[SurveyedSchema], workers: int
) -> Iterator[SchemaResult]:
    """The results of the work on each job, as they come. Whoever stops asking waits for what has begun only."""
    waiting: SimpleQueue[SurveyedSchema] = SimpleQueue()
    results: SimpleQueue[SchemaResult] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    stop = threading.Event()
    arguments = (work, waiting, results, stop)
    threads = [threading.Thread(target=_labor, args=arguments) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for _ in jobs:
            yield results.get()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _labor(
    work: Callable[[SurveyedSchema], SchemaResult],
    waiting: SimpleQueue[SurveyedSchema],
    results: SimpleQueue[SchemaResult],
    stop: threading.Event,
) -> None:
    try:
        while True:
            for _ in range(SCHEMAS_PER_CONNECTION):
                if stop.is_set():
                    return
                results.put(work(waiting.get_nowait()))
            connections.close_all()
    except Empty:
        return
    finally:
        connections.close_all()
