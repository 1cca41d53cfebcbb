"""Which reads of a request go to the replica of their database.

Those of safe requests, as far as the replica is as new as what this reader, or somebody who took a right away, has
written. What a model's app declares with ``read_from_primary`` (who somebody is, what they may do, where rows live)
is never read there, nor is what a decision is made on: see ``fresh``. Outside a request nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from . import health, positions
from .positions import has_replica, replica_of

WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"COPY")


@dataclass
class Reading:
    """How one request reads. ``behind`` are the positions, by database, that a replica must have reached.

    Without it everything is read from the primary: the request is not safe, or nobody knows what was written.
    """

    behind: Mapping[str, int] | None
    written: set[str] = field(default_factory=set)
    chosen: dict[str, str] = field(default_factory=dict)
    decides: bool = False

    def alias_for(self, home: str) -> str:
        if self.behind is None or self.decides or home in self.written or not has_replica(home):
            return home
        if connections[home].in_atomic_block:
            return home
        if home not in self.chosen:
            replica = replica_of(home)
            self.chosen[home] = replica if health.of(replica).has(self.behind.get(home, 0)) else home
        return self.chosen[home]


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading(behind: Mapping[str, int] | None) -> Iterator[Reading]:
    """Let the block's reads go to replicas that have reached these positions, until it writes."""
    plan = Reading(None if positions.are_uncertain() else behind)
    token = _reading.set(plan)
    try:
        yield plan
    finally:
        _reading.reset(token)


@contextmanager
def fresh() -> Iterator[None]:
    """Read from the primary within the block, because somebody's rights are decided on what is read."""
    plan = _reading.get()
    if plan is None or plan.decides:
        yield
        return
    plan.decides = True
    try:
        yield
    finally:
        plan.decides = False


def for_read(home: str, model: Any) -> str:
    """The alias to read a model's rows from, whose home is the given one."""
    plan = _reading.get()
    if plan is None or getattr(model._meta.app_config, "read_from_primary", False):
        return home
    return plan.alias_for(home)


def note(alias: str, results: list[Any]) -> None:
    """Look at what a statement did: once a request has written to a database, it reads there."""
    plan = _reading.get()
    if plan is not None and any((result.command_status or b"").startswith(WRITES) for result in results):
        plan.written.add(alias)
