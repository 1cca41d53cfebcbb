"""Looking organizations up as a request does, for a crowd whose n-th asks n times as rarely as its first."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, Protocol
from unittest.mock import patch

from cachetools import TTLCache
from django.conf import settings
from django.db import connection
from redis.exceptions import TimeoutError as Timeout

from apps.core import memory
from apps.core.memory import MemoryAway
from apps.tenancy.context import control
from apps.tenants import versions
from apps.tenants.directory import KEPT_SECONDS, Directory
from apps.tenants.models import Domain, Placement, Profile, Tenant

Figures = dict[str, tuple[float, str]]

RATE = 50.0  # requests a second that the process has
SECONDS = 300  # of the clock below, which goes as fast as the work is done
CHANGES_PER_MINUTE = (6, 60)
COLD, WARM = 2000, 5000
ONE = "one version for all"
OLD_KEY, OLD_KEPT = "tenantry:bench:directory", 4096


class Clock:
    """Time as the organizations would have it."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Scheme(Protocol):
    """How a process finds out whose a host is."""

    kept_seconds: float

    def serve(self, host: str) -> Tenant | None: ...

    def change(self, tenant: Tenant) -> None:
        """Tell that an organization has changed."""

    def forget(self) -> None: ...


class OneVersion:
    """As it was: everything kept is forgotten when anything changes, or memory does not answer."""

    kept_seconds = 300.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._entries: TTLCache[str, tuple[Tenant, Any]] = TTLCache(OLD_KEPT, self.kept_seconds, clock)
        self._number = 0

    def serve(self, host: str) -> Tenant | None:
        known = self._entries.get(host)
        if known is None:
            version = memory.ask(lambda redis: redis.get(OLD_KEY))
            tenant = self._read(host)
            if tenant is not None:
                known = self._entries[host] = (tenant, version)
        question = memory.Question([("GET", OLD_KEY)], lambda replies: replies[0])
        try:
            memory.ask_together(question)
        except MemoryAway:
            question.answer = None
        if known is None or known[1] == question.answer:
            return known and known[0]
        self.forget()
        return self._read(host)

    def change(self, tenant: Tenant) -> None:
        self._number += 1
        memory.ask(lambda redis: redis.set(OLD_KEY, self._number))

    def forget(self) -> None:
        self._entries.clear()

    @staticmethod
    def _read(host: str) -> Tenant | None:
        with control("host lookup"):
            return Tenant.objects.for_directory().filter(domains__domain=host).first()


class VersionForEach:
    """As it is."""

    kept_seconds = KEPT_SECONDS

    def __init__(self, clock: Callable[[], float]) -> None:
        self._directory = Directory(clock)
        self.forget = self._directory.forget

    def serve(self, host: str) -> Tenant | None:
        entry = self._directory.find(host)
        question = self._directory.asking(entry)
        try:
            memory.ask_together(question)
        except MemoryAway:
            self._directory.doubt()
            return self._directory.as_now(entry, None).tenant
        return self._directory.as_now(entry, question.answer).tenant

    def change(self, tenant: Tenant) -> None:
        versions.tell([tenant.id])


def fill(number: int) -> None:
    """Note so many organizations, as the directory knows them: there is nothing at the places that they have."""
    with control("bench"):
        if Tenant.objects.count() >= number:
            return
        tenants = [
            Tenant(
                name=f"Known {n:05d}",
                slug=f"known-{n:05d}",
                schema_name=f"known_{n:05d}",
                status=Tenant.Status.READY,
                requested_placement="schema",
            )
            for n in range(number)
        ]
        Tenant.objects.bulk_create(tenants, batch_size=1000)
        Domain.objects.bulk_create([Domain(domain=_host(one), tenant=one, is_primary=True) for one in tenants])
        used = {"kind": "schema", "state": Placement.State.USED, "built": True}
        Placement.objects.bulk_create([Placement(tenant=one, schema=f"t_{one.slug[-5:]}", **used) for one in tenants])
        Profile.objects.bulk_create([Profile(tenant=one, brand_color="#336699") for one in tenants[::3]])


def directory(scheme: str) -> Figures:
    """How one scheme does."""
    with control("bench"):
        crowd = list(Tenant.objects.filter(slug__startswith="known-").order_by("slug"))
    random.Random(1).shuffle(crowd)
    clock = Clock()
    served: Scheme = OneVersion(clock) if scheme == ONE else VersionForEach(clock)
    figures = _cold(served, crowd) | _size(served, crowd)
    served.forget()
    for host in _requests(crowd, clock, served.kept_seconds):  # until as many are forgotten for their age as ever
        served.serve(host)
    for per_minute in CHANGES_PER_MINUTE:
        figures[f"hit rate, {per_minute} changes a minute"] = (_hit_rate(served, crowd, clock, per_minute), "%")
    return figures | _after_a_fault(served, crowd, clock)


def _cold(served: Scheme, crowd: list[Tenant]) -> Figures:
    """What a miss and a hit take, with what is asked of memory."""
    hosts = [_host(one) for one in crowd[:COLD]]
    for host in hosts[:100]:
        served.serve(host)
    served.forget()
    with counted() as statements:
        miss = _milliseconds(lambda: [served.serve(host) for host in hosts]) / len(hosts)
    hit = _milliseconds(lambda: [served.serve(hosts[-1]) for _ in range(WARM)]) / WARM
    return {
        "a miss, CPU": (miss, "ms"),
        "a miss, statements": (len(statements) / len(hosts), ""),
        "a hit, CPU": (hit, "ms"),
    }


def _size(served: Scheme, crowd: list[Tenant]) -> Figures:
    served.forget()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for one in crowd[:COLD]:
        served.serve(_host(one))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"an entry": ((after - before) / COLD, "bytes")}


def _hit_rate(served: Scheme, crowd: list[Tenant], clock: Clock, per_minute: int) -> float:
    """Percent of requests that needed no statement, while others are changed now and then."""
    chance, asked, missed = random.Random(per_minute), 0, 0
    for host in _requests(crowd, clock, SECONDS):
        if chance.random() < per_minute / 60 / RATE:
            served.change(chance.choice(crowd))
        with counted() as statements:
            served.serve(host)
        asked, missed = asked + 1, missed + bool(statements)
    return 100 - 100 * missed / asked


def _after_a_fault(served: Scheme, crowd: list[Tenant], clock: Clock) -> Figures:
    """What the next requests cost once memory did not answer one of them in time."""
    for host in _requests(crowd, clock, SECONDS):
        served.serve(host)
    with patch.object(memory, "_send", side_effect=Timeout("hung")):
        served.serve(_host(crowd[0]))
    memory.breaker.reset()
    with counted() as statements:
        for host in _requests(crowd, clock, 1000 / RATE):
            served.serve(host)
    return {"statements in the 1,000 requests after a fault": (len(statements), "")}


def _requests(crowd: list[Tenant], clock: Clock, seconds: float) -> Iterator[str]:
    """The hosts that are asked for in so much time, which passes meanwhile."""
    chance = random.Random(clock.now)
    shares = list(accumulate(1 / rank for rank in range(1, len(crowd) + 1)))
    for one in chance.choices(crowd, cum_weights=shares, k=round(seconds * RATE)):
        clock.now += 1 / RATE
        yield _host(one)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the block sends."""
    sent: list[str] = []

    def note(execute: Any, sql: str, *arguments: Any) -> Any:
        sent.append(sql)
        return execute(sql, *arguments)

    with connection.execute_wrapper(note):
        yield sent


def _milliseconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def _host(tenant: Tenant) -> str:
    return f"{tenant.slug}.{settings.BASE_DOMAIN}"
