"""Tokens of API clients: signed with RS256 by a key that its ``kid`` names, for one organization."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
from cachetools import TTLCache
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token as SimpleToken

from .errors import TokenRefused
from .gate import Token as Standing
from .keyset import keyset
from .permissions import EVERYONE
from .subjects import USER, Subject

ALGORITHM = "RS256"
REQUIRED = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "tid", "mid", "sid", "ver")
MAX_LENGTH = 8192
VERIFIED_KEPT, VERIFIED_SECONDS = 10_000, 30.0  # no longer than a retired key may still be known


class RotatingBackend(TokenBackend):
    """Signs with the newest key; verifies with the one that ``kid`` names, if it is ours."""

    def __init__(self) -> None:
        super().__init__(ALGORITHM, audience=settings.TOKEN_AUDIENCE, issuer=settings.TOKEN_ISSUER)

    def encode(self, payload: dict[str, Any]) -> str:
        key = keyset.signing()
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = keyset.verifying(str(header.get("kid", "")))
            if key is None:
                raise TokenBackendError("The token names no key of ours.")
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                options={"require": list(REQUIRED), "strict_aud": True},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenBackendError(str(error)) from error


backend = RotatingBackend()
_verified_lock = threading.Lock()
_verified: TTLCache[str, tuple[int, Subject, Standing]] = TTLCache(VERIFIED_KEPT, VERIFIED_SECONDS)


class _Token(SimpleToken):
    def get_token_backend(self) -> RotatingBackend:
        return backend


class AccessToken(_Token):
    token_type = "access"  # noqa: S105
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


class RefreshToken(_Token):
    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)


def read_access(text: str) -> tuple[Subject, Standing]:
    """The bearer of an access token whose signature and claims hold, and what its standing depends on.

    Whether it was revoked is not known yet. Raises TokenRefused.
    """
    with _verified_lock:
        known = _verified.get(text)
    if known is None or known[0] <= time.time():
        known = _verify(text)
        with _verified_lock:
            _verified[text] = known
    return known[1:]


def forget_verified() -> None:
    with _verified_lock:
        _verified.clear()


def _verify(text: str) -> tuple[int, Subject, Standing]:
    """When the token expires, and what it says."""
    claims = _read(AccessToken, text)
    try:
        subject = Subject(
            type=USER,
            id=str(UUID(claims["sub"])),
            tenant_id=UUID(claims["tid"]),
            role=str(claims["role"]),
            permissions=frozenset(claims["permissions"]) | EVERYONE,
            session_id=str(UUID(claims["sid"])),
            token_id=str(UUID(claims["jti"])),
        )
        standing = Standing(
            subject.token_id,
            subject.session_id,
            str(subject.tenant_id),
            str(UUID(claims["mid"])),
            int(claims["ver"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TokenRefused from error
    return claims["exp"], subject, standing


def read_refresh(text: str) -> tuple[UUID, UUID, UUID]:
    """The ``jti``, family and tenant of a refresh token. Raises TokenRefused."""
    claims = _read(RefreshToken, text)
    try:
        return UUID(claims["jti"]), UUID(claims["sid"]), UUID(claims["tid"])
    except (TypeError, ValueError, AttributeError) as error:
        raise TokenRefused from error


def _read(kind: type[_Token], text: str) -> dict[str, Any]:
    if len(text) > MAX_LENGTH:
        raise TokenRefused
    try:
        claims: dict[str, Any] = kind(text).payload  # type: ignore[arg-type]
    except TokenError as error:
        raise TokenRefused from error
    return claims
