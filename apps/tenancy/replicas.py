"""Reads that may be some moments old, from a replica of the control database's server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import connections

from .context import CONTROL_ALIAS

REPLICA_ALIAS = "replica"

_stale_reads_allowed: ContextVar[bool] = ContextVar("stale_reads_allowed", default=False)


@contextmanager
def stale_reads() -> Iterator[None]:
    """Send the block's reads to the replica, if one is configured. Writes, and reads in a transaction, stay."""
    token = _stale_reads_allowed.set(True)
    try:
        yield
    finally:
        _stale_reads_allowed.reset(token)


def for_read(home: str) -> str:
    """The alias to read from instead of the home alias, in the current block."""
    if home != CONTROL_ALIAS or not _stale_reads_allowed.get() or REPLICA_ALIAS not in connections.databases:
        return home
    return home if connections[home].in_atomic_block else REPLICA_ALIAS


def primary_of(alias: str) -> str:
    return CONTROL_ALIAS if alias == REPLICA_ALIAS else alias
