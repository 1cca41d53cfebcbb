"""Keys that an organization gives to its own programs."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.access.permissions import ALL
from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..errors import ApiKeyNotFound, BeyondOwnRights, InvalidExpiry, TokenRefused, UnknownPermission
from ..models import ApiKey
from .delegations import revoke_key

MARK = "tnk_"
PREFIX_BYTES, SECRET_BYTES = 6, 32
USE_NOTED_EVERY = timedelta(minutes=1)
MAKER = ("maker__user", "maker__custom_role")


def create_api_key(
    *, actor: Subject, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A key and its secret, which is shown this once. Raises UnknownPermission, BeyondOwnRights, InvalidExpiry.

    Only people make keys: one that a key made could outlive it.
    """
    if actor.user_id is None:
        raise BeyondOwnRights(_("Only members make API keys. A key makes none."))
    if set(scopes) - ALL:
        raise UnknownPermission(field="scopes")
    if set(scopes) - actor.permissions:
        raise BeyondOwnRights(field="scopes")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidExpiry(field="expires_at")
    prefix = MARK + secrets.token_hex(PREFIX_BYTES)
    text = f"{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    with control("create an API key"), atomic():
        key = ApiKey.objects.create(
            tenant_id=actor.tenant_id,
            name=name,
            prefix=prefix,
            secret_hash=_hash(text),
            scopes=sorted(set(scopes)),
            created_by_id=actor.user_id,
            expires_at=expires_at,
        )
        changes = {"name": [None, name], "scopes": [None, key.scopes], "expires_at": [None, expires_at]}
        audit.record("api_key.created", actor=actor, resource=key, tenant_id=actor.tenant_id, changes=changes)
    return key, text


def revoke_api_key(*, actor: Subject, key_id: UUID) -> None:
    """Raises ApiKeyNotFound, BeyondOwnRights."""
    with control("revoke an API key"), atomic():
        key = ApiKey.objects.select_for_update().filter(tenant_id=actor.tenant_id, id=key_id, revoked_at=None).first()
        if key is None:
            raise ApiKeyNotFound
        if not may_revoke(actor, key):
            raise BeyondOwnRights
        revoke_key(key, actor=actor)


def may_revoke(actor: Subject, key: ApiKey) -> bool:
    """One's own key or itself; else nobody takes away what they do not have."""
    is_own = str(key.id) == actor.id or (actor.user_id is not None and key.created_by_id == actor.user_id)
    return is_own or set(key.scopes) <= actor.permissions


def identify_api_key(text: str) -> ApiKey:
    """The live key of a secret, with its maker; its use is noted, to the minute. Raises TokenRefused."""
    now = timezone.now()
    prefix = text[: len(MARK) + 2 * PREFIX_BYTES]
    with control("check an API key"):
        key = ApiKey.objects.select_related(*MAKER).filter(prefix=prefix, revoked_at=None).first()
        if key is None or not secrets.compare_digest(key.secret_hash, _hash(text)) or not key.is_live:
            raise TokenRefused
        if key.last_used_at is None or now - key.last_used_at > USE_NOTED_EVERY:
            ApiKey.objects.filter(id=key.id).update(last_used_at=now)
    return key


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
