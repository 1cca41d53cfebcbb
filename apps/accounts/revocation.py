"""What has become of a token: PostgreSQL knows, the in-memory store is told."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from apps.access import limits
from apps.core.memory import MemoryAway
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import after_commit

from .models import Membership, RevokedToken, TokenFamily

log = structlog.get_logger(__name__)

RIGHTS_CHANGED = "accounts.rights_changed"
SPARE_SECONDS = 60


def publish_member(membership: Membership) -> None:
    """Make a member's new version known once it is committed."""
    _publish(membership, membership.version)


def publish_removal(membership: Membership) -> None:
    _publish(membership, limits.GONE)


def publish_end(families: list[TokenFamily]) -> None:
    """Make the end of token families known once it is committed."""
    for family in families:
        outbox.emit(RIGHTS_CHANGED, {"family_id": str(family.id)}, tenant_id=family.tenant_id)
        _tell_after_commit(partial(_end_family, family.id))


def publish_revoked(token: RevokedToken) -> None:
    seconds = _seconds()
    _tell_after_commit(
        lambda: limits.tell_family(token.family_id, alive=True, revoked=[str(token.id)], seconds=seconds)
    )


def republish(*, tenant_id: UUID, member_id: UUID | None = None, family_id: UUID | None = None) -> None:
    """Tell the store again, for the case that it was away when it was told first. Raises MemoryAway."""
    if member_id is not None:
        with control("publish rights"):
            version = Membership.objects.filter(tenant_id=tenant_id, id=member_id).values_list("version", flat=True)
            limits.raise_version(tenant_id, member_id, version.first() or limits.GONE, seconds=_seconds())
    if family_id is not None:
        _end_family(family_id)


def look_up(token: limits.Token) -> bool:
    """Whether PostgreSQL holds a token for good; the store learns the answer."""
    now = timezone.now()
    with control("check a token"):
        membership = Membership.objects.filter(tenant_id=token.tenant_id, id=token.member_id)
        version, is_active = membership.values_list("version", "user__is_active").first() or (limits.GONE, True)
        alive = TokenFamily.objects.filter(
            Q(expires_at__gt=now), id=token.family_id, tenant_id=token.tenant_id, revoked_at=None
        ).exists()
        revoked = RevokedToken.objects.filter(family_id=UUID(token.family_id), expires_at__gt=now)
        revoked_ids = [str(token_id) for token_id in revoked.values_list("id", flat=True)]
    if not is_active:
        return False  # the store is not told: they may be let in again
    try:
        limits.raise_version(UUID(token.tenant_id), UUID(token.member_id), version, seconds=_seconds())
        limits.tell_family(UUID(token.family_id), alive=alive, revoked=revoked_ids, seconds=_seconds())
    except MemoryAway:
        log.warning("revocations_from_database")
    return alive and token.id not in revoked_ids and version <= token.version


def _publish(membership: Membership, version: int) -> None:
    tenant_id, member_id = membership.tenant_id, membership.id
    outbox.emit(RIGHTS_CHANGED, {"member_id": str(member_id)}, tenant_id=tenant_id)
    _tell_after_commit(lambda: limits.raise_version(tenant_id, member_id, version, seconds=_seconds()))


def _tell_after_commit(tell: Callable[[], None]) -> None:
    def attempt() -> None:
        try:
            tell()
        except MemoryAway:
            log.warning("revocation_waits_for_the_relay")

    after_commit(attempt)


def _end_family(family_id: UUID) -> None:
    limits.tell_family(family_id, alive=False, revoked=[], seconds=_seconds())


def _seconds() -> int:
    """How long an entry may matter: as long as any access token lives."""
    return int(settings.ACCESS_TOKEN_SECONDS) + SPARE_SECONDS
