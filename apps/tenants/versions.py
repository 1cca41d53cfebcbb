"""What memory says of how the directory has changed: which organization at which change, counted since an epoch began.

All of it is one hash, so that it is there or lost as a whole: the epoch, how many changes there were in it, and for
each organization that has changed the number of its last change. Who is missing there has not changed in this epoch.
An epoch begins when there is none, and has a name that there never was: whatever was read in another one is out of
date. So is what was read while another server answered, or this one before it was started anew: it may have come back
as it was some time ago, and not know of what has changed since.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import memory
from apps.core.memory import Question, Script

CHANGES = "tenantry:directory:changes"
VERSION_KEY = "tenantry:directory"  # what the release before goes by, and sets to something else

# Begins an epoch if there is none, or if the release before has told of a change; counts the organizations' changes.
COUNT = Script("""#!lua
local epoch, count = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'count'))
if not epoch or not count or redis.call('GET', KEYS[2]) ~= epoch .. '.' .. count then
    epoch, count = ARGV[1], 0
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'epoch', epoch, 'count', count)
end
for i = 2, #ARGV do
    count = redis.call('HINCRBY', KEYS[1], 'count', 1)
    redis.call('HSET', KEYS[1], ARGV[i], count)
end
redis.call('SET', KEYS[2], epoch .. '.' .. count)
return {epoch, tonumber(count)}
""")


@dataclass(frozen=True, slots=True)
class Version:
    """A moment: after so many changes of an epoch, as one run of memory's server told it."""

    run: bytes
    epoch: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Latest:
    """What memory says now: the version, if there is one, and which change was the organization's last."""

    version: Version | None
    changed_at: int = 0

    def allows(self, read: Version) -> bool:
        """Whether what was read of the organization at a version still holds."""
        now = self.version
        if now is None or (now.run, now.epoch) != (read.run, read.epoch):
            return False
        return self.changed_at <= read.count <= now.count


def asking_of(tenant_id: UUID) -> Question[Latest | None]:
    """What there is to know before something that was read of the organization is used."""

    def read(replies: list[Any]) -> Latest:
        run, (epoch, count, changed_at), told = replies
        if epoch is None or count is None or told != epoch + b"." + count:
            return Latest(None)
        return Latest(Version(run, epoch, int(count)), int(changed_at or 0))

    return Question([memory.RUN, ("HMGET", CHANGES, "epoch", "count", tenant_id.hex), ("GET", VERSION_KEY)], read)


def now() -> Version:
    """The version of what is read from now on. Raises MemoryAway."""
    question = _counting([])
    memory.ask_together(question)
    return question.answer


def tell(tenant_ids: Collection[UUID]) -> None:
    """Count a change of each organization. Raises MemoryAway."""
    memory.insist(_counting(tenant_ids))


def tell_of_all() -> None:
    """Have everything be out of date, whoever's it is. Raises MemoryAway."""
    memory.insist(Question([("DEL", CHANGES, VERSION_KEY)], lambda replies: None))


def _counting(tenant_ids: Collection[UUID]) -> Question[Version]:
    arguments = [secrets.token_hex(16), *(tenant_id.hex for tenant_id in tenant_ids)]
    command = COUNT.command([CHANGES, VERSION_KEY], arguments)
    return Question([memory.RUN, command], lambda replies: Version(replies[0], *replies[1]))
