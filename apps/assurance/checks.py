"""What a check is, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

SHOWN = 20  # of what was found wrong; the rest is counted


class Wall(Enum):
    """What keeps tenants apart, from the inside out."""

    ROLES = "Roles and credentials"
    ROWS = "Row-level security"
    KEYS = "Keys and defaults"
    SCHEMAS = "Schemas and what stands in them"
    CONTEXT = "Contexts and connections"
    ROUTES = "Routes, sessions and tokens"
    TASKS = "Tasks"
    STORES = "Cache and files"


class CheckResult(Enum):
    HELD = "held"
    LIMIT = "known limit"
    FAILED = "could not run"
    BREACH = "breach"


class Watch:
    """Counts what a check tries and keeps what it found wrong."""

    def __init__(self) -> None:
        self.attempts = 0
        self.breaches: list[str] = []
        self.faults: list[str] = []
        self.limits: list[str] = []
        self.remarks: list[str] = []

    def expect(self, held: bool, otherwise: str) -> None:
        self.attempts += 1
        if not held:
            self.breaches.append(otherwise)

    def nothing(self, found: list[Any], otherwise: str) -> None:
        """Expect an empty list; ``otherwise`` is formatted with each thing that is in it."""
        self.attempts += 1
        self.breaches += [otherwise.format(*row) for row in found]

    @property
    def result(self) -> CheckResult:
        """What broke down before it could answer proves nothing, but is no breach."""
        if self.breaches:
            return CheckResult.BREACH
        if self.faults:
            return CheckResult.FAILED
        return CheckResult.LIMIT if self.limits else CheckResult.HELD

    @property
    def observed(self) -> list[str]:
        wrong = self.breaches + self.faults
        found = wrong[:SHOWN]
        if len(wrong) > SHOWN:
            found.append(f"… and {len(wrong) - SHOWN} more")
        return [*found, *self.limits, *self.remarks]


@dataclass(frozen=True)
class Check:
    """``tries`` says what is done, ``why`` what a breach would mean; both are read by a security reviewer."""

    id: str
    wall: Wall
    title: str
    tries: str
    why: str
    run: Callable[[Any, Watch], None] = field(repr=False)


@dataclass(frozen=True)
class CheckOutcome:
    check: Check
    target: str
    result: CheckResult
    attempts: int
    observed: list[str]
    seconds: float


class Register:
    """The checks of one kind, in the order in which they are declared."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.checks: list[Check] = []

    def __call__(self, name: str, wall: Wall, title: str, *, tries: str, why: str) -> Callable[[Any], Any]:
        def declare(run: Callable[[Any, Watch], None]) -> Callable[[Any, Watch], None]:
            self.checks.append(Check(f"{self.kind}.{name}", wall, title, tries, why, run))
            return run

        return declare


class Trial:
    """A check on its way from subject to subject; an error of its own is a result too, as nothing was proven then."""

    def __init__(self, check: Check) -> None:
        self.check, self.watch, self.seconds = check, Watch(), 0.0

    def on(self, subject: Any) -> None:
        if self.watch.faults:
            return
        started = time.monotonic()
        try:
            self.check.run(subject, self.watch)
        except Exception as error:  # noqa: BLE001  whatever it is, the other checks go on
            self.watch.faults.append(f"{type(error).__name__}: {str(error).strip()[:300]}")
        self.seconds += time.monotonic() - started

    def outcome(self, target: str) -> CheckOutcome:
        watch = self.watch
        return CheckOutcome(self.check, target, watch.result, watch.attempts, watch.observed, self.seconds)


def carry_out(checks: Iterable[Check], subjects: Iterable[Any], *, target: str) -> list[CheckOutcome]:
    """Run checks on one subject after the other."""
    trials = [Trial(check) for check in checks]
    for subject in subjects:
        for trial in trials:
            trial.on(subject)
    return [trial.outcome(target) for trial in trials]
