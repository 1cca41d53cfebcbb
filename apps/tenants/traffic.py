"""How much each organization asks of the platform, minute by minute, for the last hours.

A request is noted in the process that answers it; a thread takes the notes to memory every second, so that no
request waits for that. What a killed process has not sent yet, or memory cannot take, is lost: the latter is counted.
In memory there are, per minute, the platform's totals, kept for two hours, and the figures of the organizations, kept
for a quarter of one. Beyond TENANTS_KEPT organizations a minute whoever has the least weight so far makes room for the
next, who takes over that weight as what may be missing of their figures ("space saving", Metwally and others, 2005). So
everybody with more than a TENANTS_KEPTth of the minute's weight is there, and no more than that is missing of anybody's
figures. Weight is milliseconds and requests together. All of it is in the totals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from uuid import UUID

from django.conf import settings
from redis import Redis, RedisError

from apps.core import memory

MINUTE = 60
TOTALS_SECONDS, TENANTS_SECONDS = 2 * 3600, 15 * MINUTE
TENANTS_KEPT = 2000
NOTES_KEPT = 5000
DROPPED = "dropped"

ADD = """#!lua
local totals, figures, weights = unpack(KEYS)
local limit = tonumber(ARGV[3])
local kept = redis.call('ZCARD', weights)
local sums = {0, 0, 0, 0, 0, 0}
for start = 4, #ARGV, 7 do
    local tenant, added = ARGV[start], {}
    for number = 1, 6 do
        added[number] = tonumber(ARGV[start + number])
        sums[number] = sums[number] + added[number]
    end
    if tenant ~= '' then
        local weight = added[1] + added[4]
        local known = redis.call('HGET', figures, tenant)
        if known then
            local number = 0
            for figure in string.gmatch(known, '%d+') do
                number = number + 1
                added[number] = added[number] + tonumber(figure)
            end
        elseif kept < limit then
            kept = kept + 1
        else
            local least = redis.call('ZPOPMIN', weights)
            redis.call('HDEL', figures, least[1])
            weight = weight + tonumber(least[2])
        end
        redis.call('HSET', figures, tenant, string.format('%.0f %.0f %.0f %.0f %.0f %.0f', unpack(added)))
        redis.call('ZINCRBY', weights, weight, tenant)
    end
end
for number, name in ipairs({'requests', 'errors', 'refused', 'ms', 'queries', 'bytes'}) do
    redis.call('HINCRBY', totals, name, string.format('%.0f', sums[number]))
end
redis.call('EXPIRE', totals, ARGV[1])
redis.call('EXPIRE', figures, ARGV[2])
redis.call('EXPIRE', weights, ARGV[2])
"""


@dataclass
class Figures:
    """What some requests came to. ``ms`` is the time that they held a thread, ``refused`` those turned away unheard.

    ``bytes`` are those of the answers' bodies.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    ms: int = 0
    queries: int = 0
    bytes: int = 0

    def add(self, other: Figures) -> None:
        for name in NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def values(self) -> list[int]:
        return [getattr(self, name) for name in NAMES]


NAMES = tuple(field.name for field in fields(Figures))


class Recorder:
    """The notes of one process. ``dropped`` is how many requests' figures memory could not take.

    Beyond NOTES_KEPT organizations between two flushes the others' requests are in the totals only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[tuple[int, str], Figures] = {}
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def note(self, tenant_id: UUID | None, figures: Figures) -> None:
        key = (int(time.time()) // MINUTE, tenant_id.hex if tenant_id else "")
        with self._lock:
            if key not in self._notes and len(self._notes) >= NOTES_KEPT:
                key = (key[0], "")
            self._notes.setdefault(key, Figures()).add(figures)
            seconds = settings.TRAFFIC_FLUSH_SECONDS
            if self._thread is None and seconds:
                self._thread = threading.Thread(target=self._run, args=(seconds,), name="traffic", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Take the notes to memory, in one round trip per minute that they are about: one, as a rule."""
        with self._lock:
            notes, self._notes = self._notes, {}
            dropped, self.dropped = self.dropped, 0
        for minute in sorted({minute for minute, _ in notes}):
            about = {tenant: figures for (when, tenant), figures in notes.items() if when == minute}
            try:
                _add(minute, about, dropped)
                dropped = 0
            except RedisError:
                dropped += sum(figures.requests for figures in about.values())
        with self._lock:
            self.dropped += dropped

    def forget(self) -> None:
        """Throw the notes away."""
        with self._lock:
            self._notes, self.dropped = {}, 0

    def _run(self, seconds: float) -> None:
        while True:
            time.sleep(seconds)
            self.flush()


recorder = Recorder()


@dataclass(frozen=True)
class Minute:
    """The platform in one minute, which began at ``timestamp``."""

    timestamp: int
    figures: Figures


def last_minutes(count: int) -> list[Minute]:
    """The platform's figures, oldest first, up to the current minute. Raises MemoryAway."""
    now = int(time.time()) // MINUTE
    minutes = range(now - count + 1, now + 1)
    rows = _read([_totals_key(minute) for minute in minutes])
    return [Minute(minute * MINUTE, _figures(row)) for minute, row in zip(minutes, rows, strict=True)]


def dropped_in(count: int) -> int:
    """How many requests of the last minutes have no figures because memory was away. Raises MemoryAway."""
    now = int(time.time()) // MINUTE
    rows = _read([_totals_key(minute) for minute in range(now - count + 1, now + 1)])
    return sum(row.get(DROPPED, 0) for row in rows)


def by_tenant(count: int) -> dict[UUID, Figures]:
    """The figures of those organizations that asked for most in each of the last minutes. Raises MemoryAway.

    That is everybody, up to TENANTS_KEPT. Beyond, see above for what may be missing.
    """
    now = int(time.time()) // MINUTE
    found: dict[UUID, Figures] = {}
    for row in _rows([_tenants_key(minute) for minute in range(now - count + 1, now + 1)]):
        for tenant, figures in row.items():
            found.setdefault(UUID(tenant.decode()), Figures()).add(Figures(*map(int, figures.split())))
    return found


def _add(minute: int, about: dict[str, Figures], dropped: int) -> None:
    """Past the breaker that requests share: a note that fails to arrive must not make them do without memory."""
    args: list[object] = [TOTALS_SECONDS, TENANTS_SECONDS, TENANTS_KEPT]
    for tenant, figures in about.items():
        args += [tenant, *figures.values]
    redis = memory.client()
    keys = [_totals_key(minute), _tenants_key(minute), _weights_key(minute)]
    redis.eval(ADD, len(keys), *keys, *args)  # type: ignore[arg-type]
    if dropped:
        redis.hincrby(_totals_key(minute), DROPPED, dropped)


def _read(keys: Iterable[str]) -> list[dict[str, int]]:
    return [{name.decode(): int(value) for name, value in row.items()} for row in _rows(keys)]


def _rows(keys: Iterable[str]) -> list[dict[bytes, bytes]]:
    def work(redis: Redis) -> list[dict[bytes, bytes]]:
        with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hgetall(key)
            return list(pipe.execute())

    return memory.ask(work)


def _figures(row: dict[str, int]) -> Figures:
    return Figures(**{name: row.get(name, 0) for name in NAMES})


def _totals_key(minute: int) -> str:
    return f"tenantry:traffic:{minute}"


def _tenants_key(minute: int) -> str:
    return f"tenantry:traffic:{minute}:busiest"  # not the name of the release before, which kept another kind of hash


def _weights_key(minute: int) -> str:
    return f"tenantry:traffic:{minute}:weights"
