"""How often somebody may ask: an exact sliding window, counted in memory; in this process while memory is away."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from apps.core import memory
from apps.core.memory import Question, Script

BUCKETS_KEPT = 10_000

# The first line has a full store refuse the script, and with it whatever is asked together with it. Without that it
# would go on admitting tokens, while it can no longer be told that they are void.
COUNT = Script("""#!lua
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local quota, window = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
local admitted = count < quota
if admitted then
    redis.call('ZADD', KEYS[1], now, ARGV[3])
    redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
    count = count + 1
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local reset = oldest[2] and math.ceil((oldest[2] + window - now) / 1000000) or 0
return {admitted and 1 or 0, quota - count, reset}
""")


@dataclass(frozen=True)
class Policy:
    """At most ``quota`` in any ``seconds``."""

    name: str
    quota: int
    seconds: int


@dataclass(frozen=True)
class Usage:
    """What counting a request against a policy came to."""

    policy: Policy
    admitted: bool
    remaining: int
    reset_seconds: int


def counting(policy: Policy, who: str) -> Question[Usage]:
    """Count a request, and say whether there was room for it."""
    command = COUNT.command([_key(policy, who)], [policy.quota, policy.seconds, secrets.token_hex(8)])

    def read(replies: list[list[int]]) -> Usage:
        ((admitted, remaining, reset),) = replies
        return Usage(policy, bool(admitted), remaining, reset)

    return Question([command], read)


def count(policy: Policy, who: str) -> Usage:
    """The same, by itself. Raises MemoryAway."""
    question = counting(policy, who)
    memory.ask_together(question)
    return question.answer


def _key(policy: Policy, who: str) -> str:
    return f"tenantry:limit:{policy.name}:{who}"


class LocalBuckets:
    """The limits of one process, for the moments in which the store is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def count(self, policy: Policy, who: str) -> Usage:
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault((policy.name, who), deque())
            self._buckets.move_to_end((policy.name, who))
            while len(self._buckets) > BUCKETS_KEPT:
                self._buckets.popitem(last=False)
            while bucket and bucket[0] <= now - policy.seconds:
                bucket.popleft()
            admitted = len(bucket) < policy.quota
            if admitted:
                bucket.append(now)
            reset = math.ceil(bucket[0] + policy.seconds - now) if bucket else 0
            return Usage(policy, admitted, policy.quota - len(bucket), reset)


local_buckets = LocalBuckets()
