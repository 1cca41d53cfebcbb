"""Keys that an organization gives to its own programs."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from apps.access.permissions import ALL
from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.core import clocks
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..errors import ApiKeyNotFound, BeyondOwnRights, InvalidExpiry, TokenRefused, UnknownPermission
from ..models import ApiKey

MARK = "tnk_"
PREFIX_BYTES, SECRET_BYTES = 6, 32
USE_NOTED_EVERY = timedelta(minutes=1)


def create_api_key(
    *, actor: Subject, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A key and its secret, which is shown this once. Raises UnknownPermission, BeyondOwnRights, InvalidExpiry."""
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
    """Raises ApiKeyNotFound."""
    with control("revoke an API key"), atomic():
        key = ApiKey.objects.select_for_update().filter(tenant_id=actor.tenant_id, id=key_id, revoked_at=None).first()
        if key is None:
            raise ApiKeyNotFound
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        audit.record("api_key.revoked", actor=actor, resource=key, tenant_id=actor.tenant_id)


def identify_api_key(text: str) -> ApiKey:
    """The live key of a secret, whoever's it is; its use is noted, to the minute. Raises TokenRefused."""
    now = timezone.now()
    prefix = text[: len(MARK) + 2 * PREFIX_BYTES]
    with control("check an API key"):
        key = ApiKey.objects.filter(prefix=prefix, revoked_at=None).first()
        if key is None or not secrets.compare_digest(key.secret_hash, _hash(text)):
            raise TokenRefused
        if key.expires_at is not None and key.expires_at <= clocks.over():
            raise TokenRefused
        if key.last_used_at is None or now - key.last_used_at > USE_NOTED_EVERY:
            ApiKey.objects.filter(id=key.id).update(last_used_at=now)
    return key


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
