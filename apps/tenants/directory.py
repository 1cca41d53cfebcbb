"""The organizations of hosts, as this process has found them.

An entry is used as long as memory knows of no change of its organization since it was read (``versions``): whoever
changes what a request depends on (a hold, a status, a placement, a name) tells memory after committing, and the next
request everywhere reads that organization anew. Should they die first, or memory be away, a task does it. Memory is
asked together with the rate limit, so looking a tenant up costs nothing.

While memory is away each request reads from the database, and what was found before is put aside: it is used again
once memory answers and was told of the changes that could not be told meanwhile.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from cachetools import TLRUCache
from django.conf import settings

from apps.core.memory import MemoryAway, Question
from apps.tenancy import outbox
from apps.tenancy.transactions import after_commit

from . import versions
from .models import Tenant
from .selectors import tenant_by_id, tenant_for_host
from .versions import Latest, Version

DIRECTORY_CHANGED = "tenants.directory_changed"  # of one tenant, or of all if it names none
KEPT_SECONDS = 6 * 3600.0
KEYS_OF_ONE = 2  # an organization is found by its host, and on the apex by its id


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A tenant by its host or id, and the version it was read under; without one it was read for this request."""

    key: str | UUID
    tenant: Tenant | None
    version: Version | None = None


def _kept_until(key: str | UUID, entry: DirectoryEntry, now: float) -> float:
    """Half of the time at least: what was read in one minute, as after a start, is not read again in one."""
    return now + KEPT_SECONDS * (0.5 + secrets.randbelow(1000) / 2000)


class Directory:
    """What one process has found.

    ``_faults`` counts how often memory was away, ``_settled`` is how many of these are mended.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        size = settings.ORGANIZATIONS_KEPT * KEYS_OF_ONE
        self._entries: TLRUCache[str | UUID, DirectoryEntry] = TLRUCache(size, _kept_until, clock)
        self._faults = self._settled = 0

    def find(self, key: str | UUID) -> DirectoryEntry:
        """The tenant of a host or an id, as it was found before or, if need be, from the database."""
        with self._lock:
            entry = self._entries.get(key)
        return entry or self._looked_up(key)

    def asking(self, entry: DirectoryEntry | None) -> Question[Latest | None]:
        """What ``as_now`` must know of an entry; asked after the entry was found."""
        if entry is None or entry.tenant is None or entry.version is None or not self._is_settled():
            return Question([], lambda replies: None)
        return versions.asking_of(entry.tenant.id)

    def as_now(self, entry: DirectoryEntry, latest: Latest | None) -> DirectoryEntry:
        """The entry if it still holds, else the tenant as the database has it now."""
        if entry.version is None or (latest is not None and latest.allows(entry.version)):
            return entry
        return self._looked_up(entry.key)

    def forget(self) -> None:
        with self._lock:
            self._entries.clear()
            self._settled = self._faults

    def doubt(self) -> None:
        """Memory is away: it may miss changes, and not know of them when it answers again."""
        with self._lock:
            self._faults += 1

    def _is_settled(self) -> bool:
        """Whether memory can be believed: it was there all the time, or was told what it had missed."""
        faults = self._faults
        if faults != self._settled:
            try:
                versions.now()  # or nobody needs to ask the database
                tell(outbox.tenants_of(DIRECTORY_CHANGED))
            except MemoryAway:
                return False
            self._settled = faults
        return True

    def _looked_up(self, key: str | UUID) -> DirectoryEntry:
        try:
            version = versions.now()
        except MemoryAway:
            self.doubt()
            return DirectoryEntry(key, _read(key))
        tenant = _read(key)  # after the version: a change in between is noticed
        with self._lock:
            if tenant is None or not tenant.is_open:
                self._entries.pop(key, None)
                return DirectoryEntry(key, tenant)
            entry = self._entries[key] = DirectoryEntry(key, tenant, version)
        return entry


directory = Directory()


def changed(tenant_id: UUID) -> None:
    """Have every process look this tenant up anew once the current transaction is committed."""
    _changed(tenant_id)


def all_changed() -> None:
    """The same for all tenants: what was changed concerns more than one can name."""
    _changed(None)


def tell(tenant_ids: Collection[UUID | None]) -> None:
    """Make what any process has found of these tenants out of date; of all if one is None. Raises MemoryAway."""
    if None in tenant_ids:
        versions.tell_of_all()
    elif tenant_ids:
        versions.tell([tenant_id for tenant_id in tenant_ids if tenant_id is not None])


def _changed(tenant_id: UUID | None) -> None:
    outbox.emit(DIRECTORY_CHANGED, {}, tenant_id=tenant_id)
    after_commit(partial(_tell_if_possible, tenant_id))


def _tell_if_possible(tenant_id: UUID | None) -> None:
    try:
        tell([tenant_id])
    except MemoryAway:
        directory.doubt()  # whoever cannot ask it either does the same; the others learn of it by the task


def _read(key: str | UUID) -> Tenant | None:
    return tenant_by_id(key) if isinstance(key, UUID) else tenant_for_host(key)
