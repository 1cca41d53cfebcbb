"""The in-memory store that requests ask: limits, revocations. It answers at once or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_SECONDS = 0.2
REST_SECONDS = 1.0

T = TypeVar("T")


class MemoryAway(Exception):
    """The store did not answer, or has not for a moment; nobody waits for it again until REST_SECONDS are over."""


class _Breaker:
    def __init__(self) -> None:
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def call(self, work: Callable[[], T]) -> T:
        if time.monotonic() < self._closed_until:
            raise MemoryAway
        try:
            return work()
        except RedisError as error:
            with self._lock:
                self._closed_until = time.monotonic() + REST_SECONDS
            raise MemoryAway(str(error)) from error

    def reset(self) -> None:
        self._closed_until = 0.0


breaker = _Breaker()


@lru_cache(maxsize=1)
def client() -> Redis:
    """The store that forgets nothing: not the cache, which may evict."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=settings.REDIS_POOL_SIZE,
    )


def ask(work: Callable[[Redis], T]) -> T:
    """Let ``work`` talk to the store. Raises MemoryAway."""
    return breaker.call(lambda: work(client()))


@lru_cache(maxsize=8)
def _script(source: str) -> Any:
    return client().register_script(source)


def run(source: str, keys: list[str], args: list[Any]) -> Any:
    """Run a Lua script in one round trip. Raises MemoryAway."""
    return breaker.call(lambda: _script(source)(keys=keys, args=args))
