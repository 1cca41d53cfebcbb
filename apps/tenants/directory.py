"""The organizations of hosts, as this process has found them.

An entry is used while the directory's version in memory is the one it was read under: whoever changes what a
request depends on (a hold, a status, a placement, a name) raises the version after committing, and the next
request everywhere reads anew. The version is asked for together with the rate limit, so looking a tenant up costs
nothing. While memory is away nothing is kept; an entry never outlives KEPT_SECONDS.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cachetools import TTLCache
from django.http import HttpResponse

from apps.core import memory
from apps.core.memory import MemoryAway
from apps.tenancy.transactions import after_commit

from .models import Tenant
from .selectors import tenant_by_id, tenant_for_host

VERSION_KEY = "tenantry:directory"
KEPT_SECONDS = 5.0
KEPT = 4096


@dataclass(frozen=True)
class Entry:
    """A tenant and the version it was read under; without a version it was read for this request."""

    tenant: Tenant | None
    version: bytes | None = None


class OutOfDate(HttpResponse):
    """What was found in the directory may have changed: look again, then answer the request."""

    status_code = 503


class Directory:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: TTLCache[str | UUID, Entry] = TTLCache(KEPT, KEPT_SECONDS)

    def find(self, key: str | UUID) -> Entry:
        """The tenant of a host or an id, if need be from the database."""
        with self._lock:
            entry = self._entries.get(key)
        return entry or self._found(key)

    def find_anew(self, key: str | UUID) -> Entry:
        """The tenant as the database has it now."""
        self.forget()
        return Entry(_read(key))

    def forget(self) -> None:
        with self._lock:
            self._entries.clear()

    def _found(self, key: str | UUID) -> Entry:
        try:
            version: Any = memory.ask(lambda redis: redis.get(VERSION_KEY)) or b""
        except MemoryAway:
            return Entry(_read(key))
        entry = Entry(_read(key), version)  # read after the version: a change in between is noticed
        if entry.tenant is not None and entry.tenant.is_open:
            with self._lock:
                self._entries[key] = entry
        return entry


directory = Directory()


def changed() -> None:
    """Have every process look tenants up anew once the current transaction is committed."""
    after_commit(_raise_version)


def _raise_version() -> None:
    directory.forget()
    try:
        memory.ask(lambda redis: redis.incr(VERSION_KEY))
    except MemoryAway:
        return  # nobody keeps entries while memory is away


def _read(key: str | UUID) -> Tenant | None:
    return tenant_by_id(key) if isinstance(key, UUID) else tenant_for_host(key)
