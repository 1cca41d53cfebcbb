"""Reads about the outboxes of all databases."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cachetools import TTLCache
from django.db import OperationalError

from apps.tenancy import outbox
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.outbox import Backlog
from apps.tenants.models import TenantDatabase
from apps.tenants.selectors import tenant_databases

from .errors import OutboxNotFound

KEPT_SECONDS, UNREACHABLE_SECONDS = 5.0, 60.0
DATABASES_KEPT = 10_000


@dataclass(frozen=True)
class Outboxes:
    """What waits in the outboxes of all databases together; ``unreachable`` names those that did not answer."""

    total: Backlog
    databases: int
    unreachable: tuple[str, ...]


class Backlogs:
    """What waits in each outbox, asked for anew every few seconds; whoever does not answer, once a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: TTLCache[str, Backlog] = TTLCache(DATABASES_KEPT, KEPT_SECONDS)
        self._unreachable: TTLCache[str, bool] = TTLCache(DATABASES_KEPT, UNREACHABLE_SECONDS)

    def of(self, database: TenantDatabase | None) -> Backlog | None:
        """That of a tenant's database, or of the control plane's; None if it cannot be reached."""
        name = database.name if database else CONTROL_ALIAS
        with self._lock:
            if name in self._unreachable:
                return None
            found = self._found.get(name)
        if found is not None:
            return found
        try:
            found = outbox.backlog(_opened(database))
        except OperationalError:
            with self._lock:
                self._unreachable[name] = True
            return None
        with self._lock:
            self._found[name] = found
        return found

    def forget(self) -> None:
        with self._lock:
            self._found.clear()
            self._unreachable.clear()


backlogs = Backlogs()


def all_outboxes() -> Outboxes:
    """The outboxes of all databases, one short query each."""
    databases: list[TenantDatabase | None] = [None, *tenant_databases()]
    answers = {database.name if database else CONTROL_ALIAS: backlogs.of(database) for database in databases}
    known = [backlog for backlog in answers.values() if backlog is not None]
    total = Backlog(
        waiting=sum(backlog.waiting for backlog in known),
        in_hand=sum(backlog.in_hand for backlog in known),
        parked=sum(backlog.parked for backlog in known),
        lag_seconds=max((backlog.lag_seconds for backlog in known), default=0.0),
    )
    return Outboxes(total, len(answers), tuple(name for name, backlog in answers.items() if backlog is None))


def outbox_names() -> list[str]:
    """The databases that have an outbox: the control plane's, and tenants' own."""
    with control("list outboxes"):
        own = TenantDatabase.objects.filter(built=True).order_by("name")
        return [CONTROL_ALIAS, *own.values_list("name", flat=True)]


def open_outbox(database: str) -> str:
    """The alias of a database by its name, usable in this process. Raises OutboxNotFound."""
    if database == CONTROL_ALIAS:
        return CONTROL_ALIAS
    with control("find an outbox"):
        found = TenantDatabase.objects.filter(name=database, built=True).first()
    if found is None:
        raise OutboxNotFound
    return _opened(found)


def _opened(database: TenantDatabase | None) -> str:
    if database is None:
        return CONTROL_ALIAS
    database.register()
    return str(database.alias)
