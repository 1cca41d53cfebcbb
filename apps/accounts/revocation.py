"""What has become of a token: PostgreSQL knows, the in-memory store is told.

A token is good while its family is alive, its own id is not revoked and its member's version is not newer than the
token's. What the store does not know is looked up in PostgreSQL and told to it; older entries never overwrite newer
ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q
from redis import Redis

from apps.core import clocks, memory
from apps.core.memory import MemoryAway, Question, Script
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import after_commit

from .models import Membership, RevokedToken, TokenFamily

log = structlog.get_logger(__name__)

RIGHTS_CHANGED = "accounts.rights_changed"
SPARE_SECONDS = 60
GONE = 2**31  # the version of a membership that is over: newer than any token's, and nobody's again
RAISE = Script("""#!lua
local known = redis.call('GET', KEYS[1])
if not known or tonumber(known) < tonumber(ARGV[1]) then
    redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
""")


@dataclass(frozen=True)
class TokenState:
    """What of a token decides whether it is still good."""

    id: str
    family_id: str
    tenant_id: str
    member_id: str
    version: int


def asking(token: TokenState) -> Question[bool | None]:
    """Whether a token is still good; None if the store does not know."""
    family = ("HMGET", _family_key(token.family_id), "alive", f"revoked:{token.id}")
    member = ("GET", _member_key(token.tenant_id, token.member_id))

    def read(replies: list[Any]) -> bool | None:
        (alive, revoked), version = replies
        if alive == b"0" or revoked or (version and int(version) > token.version):
            return False
        return True if alive and version else None

    return Question([family, member], read)


def publish_member(membership: Membership) -> None:
    """Make a member's new version known once it is committed."""
    _publish(membership, membership.version)


def publish_removal(membership: Membership) -> None:
    _publish(membership, GONE)


def publish_end(families: list[TokenFamily]) -> None:
    """Make the end of token families known once it is committed."""
    for family in families:
        outbox.emit(RIGHTS_CHANGED, {"family_id": str(family.id)}, tenant_id=family.tenant_id)
        _tell_after_commit(partial(_end_family, family.id))


def publish_revoked(token: RevokedToken) -> None:
    seconds = _seconds()
    _tell_after_commit(lambda: _tell_family(token.family_id, alive=True, revoked=[str(token.id)], seconds=seconds))


def republish(*, tenant_id: UUID, member_id: UUID | None = None, family_id: UUID | None = None) -> None:
    """Tell the store again, for the case that it was away when it was told first. Raises MemoryAway."""
    if member_id is not None:
        with control("publish rights"):
            version = Membership.objects.filter(tenant_id=tenant_id, id=member_id).values_list("version", flat=True)
            _raise_version(tenant_id, member_id, version.first() or GONE, seconds=_seconds())
    if family_id is not None:
        _end_family(family_id)


def look_up(token: TokenState) -> bool:
    """Whether PostgreSQL holds a token for good; the store learns the answer."""
    with control("check a token"):
        membership = Membership.objects.filter(tenant_id=token.tenant_id, id=token.member_id)
        version, is_active = membership.values_list("version", "user__is_active").first() or (GONE, True)
        alive = TokenFamily.objects.filter(
            Q(expires_at__gt=clocks.over()), id=token.family_id, tenant_id=token.tenant_id, revoked_at=None
        ).exists()
        revoked = RevokedToken.objects.filter(family_id=UUID(token.family_id), expires_at__gt=clocks.over())
        revoked_ids = [str(token_id) for token_id in revoked.values_list("id", flat=True)]
    if not is_active:
        return False  # the store is not told: they may be let in again
    try:
        _raise_version(UUID(token.tenant_id), UUID(token.member_id), version, seconds=_seconds())
        _tell_family(UUID(token.family_id), alive=alive, revoked=revoked_ids, seconds=_seconds())
    except MemoryAway:
        log.warning("revocations_from_database")
    return alive and token.id not in revoked_ids and version <= token.version


def _publish(membership: Membership, version: int) -> None:
    tenant_id, member_id = membership.tenant_id, membership.id
    outbox.emit(RIGHTS_CHANGED, {"member_id": str(member_id)}, tenant_id=tenant_id)
    _tell_after_commit(lambda: _raise_version(tenant_id, member_id, version, seconds=_seconds()))


def _tell_after_commit(tell: Callable[[], None]) -> None:
    def attempt() -> None:
        try:
            tell()
        except MemoryAway:
            log.warning("revocation_waits_for_the_relay")

    after_commit(attempt)


def _end_family(family_id: UUID) -> None:
    _tell_family(family_id, alive=False, revoked=[], seconds=_seconds())


def _raise_version(tenant_id: UUID, member_id: UUID, version: int, *, seconds: int) -> None:
    """Tell the store a member's version, unless it knows a newer one. Raises MemoryAway."""
    memory.run(RAISE, [_member_key(tenant_id, member_id)], [version, seconds])


def _tell_family(family_id: UUID, *, alive: bool, revoked: list[str], seconds: int) -> None:
    """Tell the store of a family; a dead one stays dead. Raises MemoryAway."""

    def work(redis: Redis) -> None:
        key = _family_key(family_id)
        with redis.pipeline() as pipe:
            pipe.hsetnx(key, "alive", "1") if alive else pipe.hset(key, "alive", "0")
            for token_id in revoked:
                pipe.hset(key, f"revoked:{token_id}", "1")
            pipe.expire(key, seconds)
            pipe.execute()

    memory.ask(work)


def _family_key(family_id: UUID | str) -> str:
    return f"tenantry:family:{family_id}"


def _member_key(tenant_id: UUID | str, member_id: UUID | str) -> str:
    return f"tenantry:member:{tenant_id}:{member_id}"


def _seconds() -> int:
    """How long an entry may matter: as long as any access token lives."""
    return int(settings.ACCESS_TOKEN_SECONDS) + SPARE_SECONDS
