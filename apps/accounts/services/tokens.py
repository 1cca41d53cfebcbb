"""Signing API clients in and out: families of tokens, and refresh tokens that work once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.access.subjects import USER, Subject
from apps.audit import services as audit
from apps.audit.actors import ANONYMOUS, Actor, origin
from apps.core import clocks
from apps.core.addresses import normalized_email
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .. import revocation
from ..errors import CredentialsRefused, OrganizationHeld, OrganizationRequired, TokenRefused
from ..models import Membership, RefreshToken, RevokedToken, TokenFamily, User
from ..selectors import memberships_of
from ..tokens import SignedAccessToken, read_refresh
from ..tokens import SignedRefreshToken as SignedRefreshToken
from . import proofs, sessions


@dataclass(frozen=True)
class TokenPair:
    access: str
    refresh: str
    expires_in: int
    membership: Membership


def sign_in(*, email: str, password: str, tenant_id: UUID | None = None, organization: str = "") -> TokenPair:
    """Tokens for the organization that is given by the host or named by slug or id, or is the only one.

    Raises CredentialsRefused, OrganizationHeld, OrganizationRequired.
    """
    user = _authenticated(email, password)
    known = memberships_of(user, tenant_id=tenant_id, organization=organization)
    found = [membership for membership in known if not membership.tenant.is_held]
    if not found:
        raise OrganizationHeld if known else CredentialsRefused
    if len(found) > 1:
        raise OrganizationRequired(
            [{"id": str(m.tenant_id), "slug": m.tenant.slug, "name": m.tenant.name} for m in found]
        )
    return issue(found[0])


def issue(membership: Membership) -> TokenPair:
    """Start a family of tokens for a member, as they have proven who they are.

    Raises OrganizationHeld, CredentialsRefused.
    """
    source, now = origin(), timezone.now()
    with control("issue tokens"), atomic():
        proofs.held(membership.user)
        family = TokenFamily.objects.create(
            tenant_id=membership.tenant_id,
            user_id=membership.user_id,
            ip=source.ip,
            user_agent=source.user_agent[:400],
            expires_at=now + timedelta(seconds=settings.TOKEN_FAMILY_SECONDS),
        )
        actor = Actor(type=USER, id=str(membership.user_id))
        audit.record("session.started", actor=actor, resource=family, tenant_id=membership.tenant_id)
        return _sign(family, membership)


def refresh(*, token: str, tenant_id: UUID | None = None) -> TokenPair:
    """A new pair for a refresh token, which is spent by that. A spent one kills its family.

    ``tenant_id`` is that of the host, if it has one. Raises TokenRefused; OrganizationHeld, which spends nothing.
    """
    token_id, family_id, owner_id = read_refresh(token)
    if tenant_id is not None and tenant_id != owner_id:
        raise TokenRefused
    with control("refresh tokens"):
        pair = _rotated(token_id, family_id, owner_id)
        if pair is None:
            _punish_reuse(token_id, family_id, owner_id)
            raise TokenRefused
    return pair


def sign_out(*, actor: Subject, expires_at: datetime) -> None:
    """End the token that is shown and the family it comes from."""
    with control("sign out"), atomic():
        token, _ = RevokedToken.objects.get_or_create(
            id=UUID(actor.token_id),
            defaults={"tenant_id": actor.tenant_id, "family_id": UUID(actor.session_id), "expires_at": expires_at},
        )
        revocation.publish_revoked(token)
        sessions.end_families(id=UUID(actor.session_id), tenant_id=actor.tenant_id)
        family = TokenFamily.objects.get(id=UUID(actor.session_id))
        audit.record("session.ended", actor=actor, resource=family, tenant_id=actor.tenant_id)


def clear_expired_tokens() -> None:
    with control("clear expired tokens"):
        RevokedToken.objects.filter(expires_at__lt=clocks.over()).delete()
        TokenFamily.objects.filter(expires_at__lt=clocks.over()).delete()


def _authenticated(email: str, password: str) -> User:
    with control("sign-in"):
        known = User.objects.filter(email=normalized_email(email), is_active=True).first()
        user = known or User()  # whose check takes as long, or the time would tell who is known
        if not user.check_password(password):
            raise CredentialsRefused
    return user


def _rotated(token_id: UUID, family_id: UUID, tenant_id: UUID) -> TokenPair | None:
    now = timezone.now()
    with atomic():
        unused = RefreshToken.objects.filter(
            id=token_id, family_id=family_id, tenant_id=tenant_id, used_at=None, expires_at__gt=clocks.over()
        )
        if not unused.update(used_at=now):
            return None
        family = (
            TokenFamily.objects.select_for_update()
            .filter(id=family_id, revoked_at=None, expires_at__gt=clocks.over())
            .first()
        )
        if family is None:
            raise TokenRefused
        membership = (
            Membership.objects.select_related("user", "tenant", "custom_role")
            .filter(tenant_id=tenant_id, user_id=family.user_id, user__is_active=True)
            .first()
        )
        if membership is None:
            raise TokenRefused
        family.refreshed_at = now
        family.save(update_fields=["refreshed_at"])
        actor = Actor(type=USER, id=str(family.user_id))
        audit.record("session.refreshed", actor=actor, resource=family, tenant_id=tenant_id)
        return _sign(family, membership)


def _punish_reuse(token_id: UUID, family_id: UUID, tenant_id: UUID) -> None:
    """Somebody has a copy of a spent token: nobody can tell the thief from the owner, so both are out."""
    with atomic():
        spent = RefreshToken.objects.filter(id=token_id, family_id=family_id).exclude(used_at=None).first()
        family = TokenFamily.objects.select_for_update().filter(id=family_id, revoked_at=None).first()
        if spent is not None and family is not None:
            sessions.end_families(id=family_id)
            audit.record("session.token_reused", actor=ANONYMOUS, resource=family, tenant_id=tenant_id)


def _sign(family: TokenFamily, membership: Membership) -> TokenPair:
    """Raises OrganizationHeld, with which the caller's transaction is undone."""
    if membership.tenant.is_held:
        raise OrganizationHeld
    claims = {
        "sub": str(membership.user_id),
        "tid": str(membership.tenant_id),
        "mid": str(membership.id),
        "sid": str(family.id),
        "ver": membership.version,
    }
    access, renewal = SignedAccessToken(), SignedRefreshToken()
    for token in (access, renewal):
        _fill(token, claims)
    _fill(access, {"role": membership.role, "permissions": sorted(membership.permissions)})
    RefreshToken.objects.create(
        id=UUID(renewal["jti"]),
        tenant_id=membership.tenant_id,
        family=family,
        expires_at=datetime.fromtimestamp(renewal["exp"], tz=UTC),
    )
    return TokenPair(str(access), str(renewal), settings.ACCESS_TOKEN_SECONDS, membership)


def _fill(token: Any, claims: dict[str, Any]) -> None:
    token.payload["nbf"] = token.payload["iat"]
    token.payload.update(claims)
