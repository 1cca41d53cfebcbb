"""Verifying the walls of a live installation."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

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
    steps = _Steps(progress, total=len(readings) * 2 + len(attacks) * len(kinds))
    outcomes, versions = _readings(readings, steps)
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

    def next(self, text: str) -> None:
        self._progress(text, self._done, self._total)
        self._done += 1


def _readings(checks: list[Check], steps: _Steps) -> tuple[list[CheckOutcome], dict[str, str]]:
    with ExitStack() as stack:
        own = [stack.enter_context(_opened(None)), *(stack.enter_context(_opened(name)) for name in _own_databases())]
        outcomes = []
        for target, found in ((CONTROL_TARGET, own[:1]), (OWN_TARGET, own[1:])):
            for check in checks:
                steps.next(f"{target}: {check.title}")
                if found:
                    outcomes.append(carry_out(check, found, target=target))
        return outcomes, {database.name: _version(database) for database in own}


def _attacks(checks: list[Check], kind: str, steps: _Steps) -> list[CheckOutcome]:
    pair = targets.create_pair(kind)
    outcomes = []
    for check in checks:
        steps.next(f"{kind}: {check.title}")
        outcomes.append(carry_out(_with_damage(check), [pair], target=kind))
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


def _own_databases() -> list[str]:
    return [database.name for database in tenant_databases()]


@contextmanager
def _opened(name: str | None) -> Iterator[Database]:
    """A database of the installation on the owner's connection, read only."""
    owner = databases.parse_url(databases.owner_url(name))
    logins = {d.name: databases.parse_url(d.url.reveal())["USER"] for d in tenant_databases()}
    login = databases.parse_url(settings.DATABASE_URL)["USER"]
    names = Names(owner["USER"], logins[name] if name else login, settings.DATABASE_OPERATOR_ROLE)
    with psycopg.connect(databases.owner_url(name), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on; SET search_path = pg_catalog")
        yield Database(owner["NAME"], names, name is None, frozenset({login, *logins.values()}), connection)


def _version(database: Database) -> str:
    number = database.connection.info.server_version
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
