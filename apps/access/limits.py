"""One question to the in-memory store per request: is there room under the limit, and is the token still good?

The limit is an exact sliding window. A token is good while its family is alive, its own id is not revoked and its
member's version is not newer than the token's. PostgreSQL is the truth: what the store does not know is looked up
there and told to the store, whose older entries never overwrite newer ones.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from redis import Redis

from apps.core import memory
from apps.tenancy.replicas import positions
from apps.tenants.directory import VERSION_KEY

GONE = 2**31  # the version of a membership that is over: newer than any token's, and nobody's again
BUCKETS_KEPT = 10_000

# The first line of a script has a full store refuse it. Without that it would go on admitting tokens, while it can
# no longer be told that they are void.

KNOCK = """#!lua
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
local answer = {admitted and 1 or 0, quota - count, reset, redis.call('GET', KEYS[2]) or ''}
answer[5] = KEYS[3] and redis.call('HGETALL', KEYS[3]) or {}
answer[6] = KEYS[4] and redis.call('HGETALL', KEYS[4]) or {}
if KEYS[5] then
    local family = redis.call('HMGET', KEYS[5], 'alive', ARGV[4])
    answer[7] = family[1] or ''
    answer[8] = family[2] or ''
    answer[9] = redis.call('GET', KEYS[6]) or ''
end
return answer
"""

RAISE = """#!lua
local known = redis.call('GET', KEYS[1])
if not known or tonumber(known) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""


@dataclass(frozen=True)
class Policy:
    """At most ``quota`` in any ``seconds``."""

    name: str
    quota: int
    seconds: int


@dataclass(frozen=True)
class Token:
    """What of a token decides whether it is still good."""

    id: str
    family_id: str
    tenant_id: str
    member_id: str
    version: int

    @property
    def keys(self) -> list[str]:
        return [family_key(self.family_id), member_key(self.tenant_id, self.member_id)]


@dataclass(frozen=True)
class Answer:
    """``standing`` is True for a good token, False for a void one, None if the store does not know.

    ``directory`` is the version of the tenants' directory, ``written`` says how far each database was written by the
    readers; both are None while the store is away.
    """

    policy: Policy
    admitted: bool
    remaining: int
    reset_seconds: int
    standing: bool | None = None
    directory: bytes | None = None
    written: Mapping[str, int] | None = None


def family_key(family_id: UUID | str) -> str:
    return f"tenantry:family:{family_id}"


def member_key(tenant_id: UUID | str, member_id: UUID | str) -> str:
    return f"tenantry:member:{tenant_id}:{member_id}"


def knock(policy: Policy, who: str, token: Token | None = None, readers: tuple[str, str] = ("", "")) -> Answer:
    """Count a request against a limit, ask about its token and what its readers have written. Raises MemoryAway."""
    written = [positions.key_of(reader) for reader in readers]
    keys = [f"tenantry:limit:{policy.name}:{who}", VERSION_KEY, *written, *(token.keys if token else [])]
    args = [policy.quota, policy.seconds, secrets.token_hex(8), f"revoked:{token.id}" if token else ""]
    admitted, remaining, reset, directory, own, everybodys, *rest = memory.run(KNOCK, keys, args)
    standing = _standing(token, *(part.decode() for part in rest)) if token else None
    written_up_to = positions.later_of(own, everybodys)
    return Answer(policy, bool(admitted), remaining, reset, standing, directory, written_up_to)


def _standing(token: Token, alive: str, revoked: str, version: str) -> bool | None:
    if alive == "0" or revoked or (version and int(version) > token.version):
        return False
    return True if alive and version else None


def raise_version(tenant_id: UUID, member_id: UUID, version: int, *, seconds: int) -> None:
    """Tell the store a member's version, unless it knows a newer one. Raises MemoryAway."""
    memory.run(RAISE, [member_key(tenant_id, member_id)], [version, seconds])


def tell_family(family_id: UUID, *, alive: bool, revoked: list[str], seconds: int) -> None:
    """Tell the store of a family; a dead one stays dead. Raises MemoryAway."""

    def work(redis: Redis) -> None:
        key = family_key(family_id)
        with redis.pipeline() as pipe:
            pipe.hsetnx(key, "alive", "1") if alive else pipe.hset(key, "alive", "0")
            for token_id in revoked:
                pipe.hset(key, f"revoked:{token_id}", "1")
            pipe.expire(key, seconds)
            pipe.execute()

    memory.ask(work)


class LocalBuckets:
    """The limits of one process, for the moments in which the store is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def knock(self, policy: Policy, who: str) -> Answer:
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
            return Answer(policy, admitted, policy.quota - len(bucket), reset)


local_buckets = LocalBuckets()
