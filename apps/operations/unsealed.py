"""Which logs have something in them that is not sealed yet, found without asking each of them.

PostgreSQL counts what is inserted into each table, for its own upkeep: a schema whose audit log counts what it counted
when all in it was sealed has nothing new. In the control plane, where one table has all organizations' events, those
are looked at that are younger than the last sweep. What was found out is kept in memory, for one run of the server, as
its counts are; without it every log is asked once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connections
from django.db.models import Exists, OuterRef

from apps.audit.models import ControlEvent, ControlSeal, Event
from apps.core import memory
from apps.core.memory import MemoryAway
from apps.tenancy.context import CONTROL_ALIAS, OutboxContext, control, use
from apps.tenants.models import Tenant

COUNTS = """SELECT n.nspname, pg_stat_get_tuples_inserted(c.oid) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = %s AND c.relkind = 'r'"""
STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::bigint"
SWEEP_PLACE = "tenantry:sealed:last-sweep"
KEPT_SECONDS = 24 * 3600  # of a database that is there no more

Counts = dict[str, int]


class Sweep:
    """One look at the logs of a database, and what is known of them from those before."""

    def __init__(self, alias: str) -> None:
        self._place = f"tenantry:sealed:{alias}:{_started(alias)}"
        self._counts, self._sealed = _counts(alias), _remembered(self._place)

    def changed(self) -> list[str]:
        """The schemas in whose logs there may be something new."""
        return [schema for schema, count in self._counts.items() if self._sealed.get(schema) != count]

    def note_sealed(self, schemas: Iterable[str]) -> None:
        """All that was counted there is sealed."""
        _remember(self._place, {schema: self._counts[schema] for schema in schemas})


def tenants_in(schemas: list[str]) -> list[Tenant]:
    """The organizations that are ready for use in these schemas of the databases that they share."""
    with control("list tenants"):
        shared = Tenant.objects.with_placement().filter(status=Tenant.Status.READY, placement__database=None)
        return list(shared.filter(placement__schema__in=schemas))


def tenants_with_databases() -> list[Tenant]:
    with control("list tenants"):
        return list(Tenant.objects.with_placement().filter(status=Tenant.Status.READY, placement__database__built=True))


def owners_since(horizon: int) -> list[UUID | None]:
    """Whom the events are about that are not sealed, of those recorded in the control plane from the horizon on."""
    sealed = ControlSeal.objects.filter(event_id=OuterRef("id"))
    found = ControlEvent.objects.filter(~Exists(sealed), transaction_id__gte=horizon)
    return list(found.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())


def last_horizon() -> int:
    """Below it everything in the control plane was sealed when last looked at; 0 if that is not known."""
    return _remembered(_control_place()).get("horizon", 0)


def move_horizon(horizon: int) -> None:
    _remember(_control_place(), {"horizon": horizon})


@dataclass(frozen=True)
class LastSweep:
    """How long a sweep through all logs took, how long it might have, and when it came to its end."""

    seconds: float
    limit: float
    seconds_ago: float


def last_sweep() -> LastSweep | None:
    """None if there was none in the last day, or memory does not tell."""
    found = _remembered(SWEEP_PLACE)
    if not found:
        return None
    return LastSweep(found["took_ms"] / 1000, found["limit_ms"] / 1000, max(time.time() - found["ended_at"], 0))


def note_sweep(*, seconds: float, limit: float) -> None:
    times = {"took_ms": seconds * 1000, "limit_ms": limit * 1000, "ended_at": time.time()}
    _remember(SWEEP_PLACE, {name: round(number) for name, number in times.items()})


def _control_place() -> str:
    return f"tenantry:sealed:control:{_started(CONTROL_ALIAS)}"


def _counts(alias: str) -> Counts:
    return dict(_ask(alias, COUNTS, [Event._meta.db_table]))


def _started(alias: str) -> int:
    [(started,)] = _ask(alias, STARTED, [])
    return int(started)


def _ask(alias: str, question: str, values: list[Any]) -> list[Any]:
    with use(OutboxContext(alias)), connections[alias].cursor() as cursor:
        cursor.execute(question, values)
        return list(cursor.fetchall())


def _remembered(place: str) -> Counts:
    try:
        found: Any = memory.ask(lambda store: store.hgetall(place))
    except MemoryAway:
        return {}
    return {name.decode(): int(count) for name, count in found.items()}


def _remember(place: str, counts: Counts) -> None:
    if not counts:
        return

    def note(store: Any) -> None:
        store.hset(place, mapping=counts)
        store.expire(place, KEPT_SECONDS)

    with suppress(MemoryAway):
        memory.ask(note)
