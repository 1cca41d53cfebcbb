"""Verifying the walls of a live installation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import DatabaseError
from django.test.utils import override_settings
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import Thing
from apps.core.errors import DomainError
from apps.tenancy import databases
from apps.tenancy.context import control
from apps.tenancy.errors import ContextError
from apps.tenancy.schemas.slices import sliced
from apps.tenancy.transactions import atomic
from apps.tenants.selectors import tenant_databases

from . import catalog, targets
from .attacks import ATTACKS
from .catalog import Database
from .checks import Check, CheckOutcome, CheckResult, Watch, carry_out
from .errors import CannotRun
from .report import IsolationReport
from .shapes import Names
from .targets import ACTOR, REASON, Pair

Progress = Callable[[str, int, int], None]  # what is done, how many steps are done, of how many
NO_LIMIT = 10**9
CONTROL_TARGET, OWN_TARGET = "control database", "tenants' own databases"
IN_MEMORY = "django.core.mail.backends.locmem.EmailBackend"


@dataclass(frozen=True)
class Scope:
    """The checks to run and the kinds of placement to attack; all there are if none is named."""

    checks: frozenset[str] = frozenset()
    placements: tuple[str, ...] = ()

    def includes(self, check: Check) -> bool:
        return not self.checks or check.id in self.checks


EVERYTHING = Scope()


def all_checks() -> list[Check]:
    return [*catalog.check.checks, *ATTACKS]


def verify(scope: Scope = EVERYTHING, progress: Progress = lambda *_: None) -> IsolationReport:
    """Read every database's catalog, then attack organizations created for that; they are removed in any case.

    Raises CannotRun. Organizations of customers are neither touched nor read.
    """
    _check_credentials()
    try:
        with targets.alone(), _quiet():
            try:
                targets.clear()
                return _verified(scope, progress)
            finally:
                targets.clear()
    except CannotRun:
        raise
    except (psycopg.Error, DatabaseError, redis.RedisError, ContextError, DomainError, OSError) as error:
        raise CannotRun(_in_one_line(error)) from error


def _verified(scope: Scope, progress: Progress) -> IsolationReport:
    started, clock = timezone.now(), time.monotonic()
    readings = [check for check in catalog.check.checks if scope.includes(check)]
    attacks = [check for check in ATTACKS if scope.includes(check)]
    kinds = list(scope.placements or targets.placements()) if attacks else []
    steps = _Steps(progress, total=len(attacks) * len(kinds))
    outcomes, versions = _readings(readings, steps) if readings else ([], {})
    for kind in kinds:
        outcomes += _attacks(attacks, kind, steps)
    report = IsolationReport(started, time.monotonic() - clock, versions, kinds, outcomes)
    _record(report)
    return report


class _Steps:
    def __init__(self, progress: Progress, *, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def expect(self, more: int) -> None:
        self._total += more

    def next(self, text: str) -> None:
        self._progress(text, self._done, self._total)
        self._done += 1


def _readings(checks: list[Check], steps: _Steps) -> tuple[list[CheckOutcome], dict[str, str]]:
    own = {database.name: databases.parse_url(database.url.reveal())["USER"] for database in tenant_databases()}
    steps.expect(len(own))
    versions: dict[str, str] = {}
    outcomes = carry_out(checks, _read(None, own, steps, versions), target=CONTROL_TARGET)
    if own:
        parts = chain.from_iterable(_read(name, own, steps, versions) for name in own)
        outcomes += carry_out(checks, parts, target=OWN_TARGET)
    return outcomes, versions


def _attacks(checks: list[Check], kind: str, steps: _Steps) -> list[CheckOutcome]:
    pair = targets.create_pair(kind)
    outcomes = []
    for check in checks:
        steps.next(f"{kind}: {check.title}")
        outcomes += carry_out([_with_damage(check)], [pair], target=kind)
    return outcomes


def _with_damage(check: Check) -> Check:
    """The same attack, which also must leave the victim's rows and files as they are."""

    def run(pair: Pair, watch: Watch) -> None:
        before = targets.fingerprint(pair.victim)
        check.run(pair, watch)
        watch.attempts += 1
        watch.breaches += targets.damage(before, targets.fingerprint(pair.victim))

    return Check(check.id, check.wall, check.title, check.tries, check.why, run)


def _in_one_line(error: Exception) -> str:
    words = str(error).strip().splitlines()
    return f"{type(error).__name__}: {words[0]}" if words else type(error).__name__


def _read(name: str | None, own: dict[str, str], steps: _Steps, versions: dict[str, str]) -> Iterator[Database]:
    """A database of the installation, slice by slice; ``own`` are tenants' databases and their logins."""
    owner = databases.parse_url(databases.owner_url(name))
    login = databases.parse_url(settings.DATABASE_URL)["USER"]
    names = Names(owner["USER"], own[name] if name else login, settings.DATABASE_OPERATOR_ROLE)
    logins = frozenset({login, *own.values()})
    with _reading(name) as connection:
        versions[owner["NAME"]] = _version(connection)
        slices = list(sliced(catalog.schemas_of(connection)))
    steps.expect(len(slices) - (name is not None))
    for number, some in enumerate(slices):
        steps.next(f"{owner['NAME']}: catalog, part {number + 1} of {len(slices)}")
        with _reading(name) as connection:
            yield Database(owner["NAME"], names, name is None, logins, connection, some, is_first=number == 0)


@contextmanager
def _reading(name: str | None) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the owner's that changes nothing."""
    with psycopg.connect(databases.owner_url(name), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on; SET search_path = pg_catalog")
        yield connection


def _version(connection: psycopg.Connection[Any]) -> str:
    number = connection.info.server_version
    return f"{number // 10_000}.{number % 10_000}"


@contextmanager
def _quiet() -> Iterator[None]:
    """In this process: no mail leaves, no request is one too many, and the log does not fill with refusals."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with override_settings(
            EMAIL_BACKEND=IN_MEMORY, REQUESTS_PER_MINUTE_ADDRESS=NO_LIMIT, REQUESTS_PER_MINUTE_USER=NO_LIMIT
        ):
            yield
    finally:
        logging.disable(before)


def _check_credentials() -> None:
    for name in ("DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"):
        if not getattr(settings, name):
            raise CannotRun(f"{name} is not set: creating and removing organizations to attack needs it.")


def _record(report: IsolationReport) -> None:
    with control(REASON), atomic():
        audit.record(
            "isolation.verified",
            actor=ACTOR,
            resource=Thing(type="installation", id=settings.BASE_DOMAIN),
            checks=len(report.outcomes),
            breaches=report.count(CheckResult.BREACH),
        )
