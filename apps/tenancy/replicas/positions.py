"""How far readers have seen a database written, kept in memory for as long as a replica may reasonably be behind.

A position is how far the write-ahead log has come, in bytes. While memory is away nobody knows the positions, and
everything is read from the primary.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from uuid import UUID

import structlog
from django.db import DatabaseError, connections

from apps.core import memory
from apps.core.memory import MemoryAway, Question, Script

from ..context import current_tenant, use
from ..transactions import after_commit

log = structlog.get_logger(__name__)

SUFFIX = ":replica"
KEPT_SECONDS = 60
WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"

RAISE = Script("""#!lua
for i = 2, #ARGV, 2 do
    local known = redis.call('HGET', KEYS[1], ARGV[i])
    if not known or tonumber(known) < tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
""")

_uncertain_until = 0.0


def replica_of(alias: str) -> str:
    return alias + SUFFIX


def primary_of(alias: str) -> str:
    return alias.removesuffix(SUFFIX)


def has_replica(alias: str) -> bool:
    return replica_of(alias) in connections.databases


def everybody_in(tenant_id: UUID | str) -> str:
    """All readers of one organization."""
    return f"tenant:{tenant_id}"


def asking(*readers: str) -> Question[dict[str, int]]:
    """How far each database was written by these readers together."""
    return Question([("HGETALL", _key(reader)) for reader in readers if reader], _later_of)


def are_uncertain() -> bool:
    """Whether this process could not make a position known that may still matter."""
    return time.monotonic() < _uncertain_until


def remember(reader: str, aliases: Iterable[str]) -> None:
    """Have this reader see, from now on, what is committed in these databases."""
    global _uncertain_until  # noqa: PLW0603
    replicated = [alias for alias in aliases if has_replica(alias)]
    if not reader or not replicated:
        return
    try:
        _tell(reader, {alias: _written(alias) for alias in replicated})
    except (MemoryAway, DatabaseError) as error:
        _uncertain_until = time.monotonic() + KEPT_SECONDS
        log.warning("reads_from_primary", reason=str(error).strip())


def show_everybody() -> None:
    """Have everybody in the tenant see the current transaction once it is committed: it takes somebody's right away."""
    context = current_tenant()
    if has_replica(context.alias):
        after_commit(lambda: remember(everybody_in(context.tenant_id), [context.alias]))


def _tell(reader: str, written: Mapping[str, int]) -> None:
    pairs = [part for pair in written.items() for part in pair]
    memory.run(RAISE, [_key(reader)], [KEPT_SECONDS, *pairs])


def _written(alias: str) -> int:
    with use(None), connections[alias].cursor() as cursor:
        cursor.execute(WRITTEN)
        return int(cursor.fetchone()[0])


def _key(reader: str) -> str:
    return f"tenantry:written:{reader}"


def _later_of(replies: list[dict[bytes, bytes]]) -> dict[str, int]:
    """The later position of each database, of what memory answered about several readers."""
    found: dict[str, int] = {}
    for reply in replies:
        for alias, position in reply.items():
            found[alias.decode()] = max(int(position), found.get(alias.decode(), 0))
    return found
