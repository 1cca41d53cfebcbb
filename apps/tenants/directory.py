"""The organizations of hosts, as this process has found them.

An entry is used while the directory's version in memory is the one it was read under: whoever changes what a
request depends on (a hold, a status, a placement, a name) sets another version after committing, and the next
request everywhere reads anew. Should they die first, or memory be away, a task does it. The version is asked for
together with the rate limit, so looking a tenant up costs nothing. While memory is away nothing is kept.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cachetools import TTLCache
from redis import Redis

from apps.core import memory
from apps.core.memory import MemoryAway, Question
from apps.tenancy import outbox
from apps.tenancy.transactions import after_commit

from .models import Tenant
from .selectors import tenant_by_id, tenant_for_host

VERSION_KEY = "tenantry:directory"
DIRECTORY_CHANGED = "tenants.directory_changed"
KEPT_SECONDS = 300.0
KEPT = 4096


@dataclass(frozen=True)
class DirectoryEntry:
    """A tenant by its host or id, and the version it was read under; without one it was read for this request."""

    key: str | UUID
    tenant: Tenant | None
    version: bytes | None = None


class Directory:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: TTLCache[str | UUID, DirectoryEntry] = TTLCache(KEPT, KEPT_SECONDS)

    def find(self, key: str | UUID) -> DirectoryEntry:
        """The tenant of a host or an id, if need be from the database."""
        with self._lock:
            entry = self._entries.get(key)
        return entry or self._looked_up(key)

    def find_anew(self, key: str | UUID) -> DirectoryEntry:
        """The tenant as the database has it now."""
        self.forget()
        return DirectoryEntry(key, _read(key))

    def forget(self) -> None:
        with self._lock:
            self._entries.clear()

    def _looked_up(self, key: str | UUID) -> DirectoryEntry:
        try:
            version = memory.ask(_version)
        except MemoryAway:
            return DirectoryEntry(key, _read(key))
        entry = DirectoryEntry(key, _read(key), version)  # read after the version: a change in between is noticed
        if entry.tenant is not None and entry.tenant.is_open:
            with self._lock:
                self._entries[key] = entry
        return entry


directory = Directory()


def asking_version() -> Question[bytes | None]:
    """The version that what is found now has; of entries with another one nobody knows whether they still hold."""
    return Question([("GET", VERSION_KEY)], lambda replies: replies[0])


def changed() -> None:
    """Have every process look tenants up anew once the current transaction is committed."""
    outbox.emit(DIRECTORY_CHANGED, {})
    after_commit(_tell_if_possible)


def tell() -> None:
    """Make what any process has found out of date. Raises MemoryAway."""
    directory.forget()
    memory.ask(lambda redis: redis.set(VERSION_KEY, _new_version()))


def _tell_if_possible() -> None:
    try:
        tell()
    except MemoryAway:
        return  # whoever cannot ask it either keeps nothing; the others learn of it by the task


def _version(redis: Redis) -> Any:
    version = redis.get(VERSION_KEY)
    if version is None:
        redis.set(VERSION_KEY, _new_version(), nx=True)
        version = redis.get(VERSION_KEY)
    return version


def _new_version() -> int:
    """One that there never was, even if memory has lost all; a number, as the release before counts on from it."""
    return secrets.randbits(62)


def _read(key: str | UUID) -> Tenant | None:
    return tenant_by_id(key) if isinstance(key, UUID) else tenant_for_host(key)
