"""The units of work of the leak benchmark, the same for both projects."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4


class Site(Protocol):
    """How a project does what a unit consists of. A row's name begins with its tenant's label."""

    labels: list[str]

    def enter(self, label: str) -> AbstractContextManager[Any]:
        """Find the tenant and be in it, as a request would."""

    def atomic(self) -> AbstractContextManager[Any]:
        """A transaction or savepoint in the tenant."""

    def insert(self, name: str) -> None:
        """Write a row with the ORM."""

    def read(self, *, raw: bool) -> list[str]:
        """The names of all rows that SQL without a condition, or the ORM, shows."""

    def after_error(self) -> None:
        """What Django does to a connection at the end of a failed request."""

    def take_rows(self) -> list[tuple[str, str]]:
        """Remove all rows past every wall: (label of the tenant in whose place a row was, its name)."""


class RolledBack(Exception):
    """Ends a transaction on purpose."""


@dataclass
class Tally:
    """What the threads saw; ``committed`` are the rows that have to be there afterward."""

    foreign_reads: int = 0
    invisible: int = 0
    errors: int = 0
    first_error: str = ""
    committed: set[str] = field(default_factory=set)
    undone: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, error: Exception) -> None:
        """Note an error, and the text of the first."""
        with self.lock:
            self.errors += 1
            lines = str(error).strip().splitlines()
            self.first_error = self.first_error or f"{type(error).__name__}: {lines[0] if lines else ''}"

    def saw(self, label: str, names: list[str], own: str) -> None:
        """Judge what a unit read back."""
        with self.lock:
            self.foreign_reads += any(not name.startswith(f"{label}:") for name in names)
            self.invisible += own not in names


@dataclass
class Unit:
    """One unit in one tenant; each way of doing it writes a row and reads all rows back."""

    site: Site
    label: str
    tally: Tally
    raw: bool

    def plain(self) -> None:
        """Without a transaction."""
        self.tally.committed.add(self._write_and_read())

    def committed(self) -> None:
        """In a transaction."""
        with self.site.atomic():
            name = self._write_and_read()
        self.tally.committed.add(name)

    def rolled_back(self) -> None:
        """In a transaction that is undone."""
        with suppress(RolledBack), self.site.atomic():
            self.tally.undone.add(self._write_and_read())
            raise RolledBack

    def savepoint_rolled_back(self) -> None:
        """A savepoint is undone between the write and a second read."""
        with self.site.atomic():
            name = self._write_and_read()
            with suppress(RolledBack), self.site.atomic():
                self.tally.undone.add(self._write_and_read())
                raise RolledBack
            self.tally.saw(self.label, self.site.read(raw=self.raw), name)
        self.tally.committed.add(name)

    def _write_and_read(self) -> str:
        name = f"{self.label}:{uuid4()}"
        self.site.insert(name)
        self.tally.saw(self.label, self.site.read(raw=self.raw), name)
        return name


WAYS: tuple[Callable[[Unit], None], ...] = (
    Unit.plain,
    Unit.plain,
    Unit.committed,
    Unit.rolled_back,
    Unit.savepoint_rolled_back,
)


def run(site: Site, *, threads: int, units: int) -> dict[str, Any]:
    """Do the units on that many threads and compare what was seen and what is there with what should be."""
    tally = Tally()
    share = units // threads
    workers = [threading.Thread(target=_work, args=(site, share, seed, tally)) for seed in range(threads)]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    rows = site.take_rows()
    names = {name for _, name in rows}
    return {
        "units": share * threads,
        "seconds": seconds,
        "foreign_reads": tally.foreign_reads,
        "misplaced_rows": sum(not name.startswith(f"{home}:") for home, name in rows),
        "invisible_rows": tally.invisible,
        "lost_rows": len(tally.committed - names),
        "revived_rows": len(tally.undone & names),
        "errors": tally.errors,
        "first_error": tally.first_error,
    }


def _work(site: Site, units: int, seed: int, tally: Tally) -> None:
    chance = random.Random(seed)
    for _ in range(units):
        unit = Unit(site, chance.choice(site.labels), tally, raw=chance.random() < 0.5)
        try:
            with site.enter(unit.label):
                chance.choice(WAYS)(unit)
        except Exception as error:
            tally.failed(error)
            site.after_error()
