"""Tokens of API clients: signed with RS256 by a key that its ``kid`` names, for one organization."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from cachetools import TTLCache
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token as SimpleToken

from apps.access.permissions import EVERYONE
from apps.access.subjects import USER, Subject
from apps.core import clocks

from .errors import TokenRefused
from .keyset import keyset
from .revocation import TokenState

ALGORITHM = "RS256"
REQUIRED = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "tid", "mid", "sid", "ver")
MAX_LENGTH = 8192
WELL_FORMED = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}")  # RFC 7515; decoding would pass over anything else
VERIFIED_KEPT, VERIFIED_SECONDS = 10_000, 900.0


@dataclass(frozen=True)
class Verified:
    """What an access token says, and the key that its signature was checked with."""

    key_id: str
    expires: int
    subject: Subject
    state: TokenState

    @property
    def still_holds(self) -> bool:
        return self.expires > clocks.over().timestamp() and keyset.verifying(self.key_id) is not None


class RotatingBackend(TokenBackend):
    """Signs with the newest key; verifies with the one that ``kid`` names, if it is ours."""

    def __init__(self) -> None:
        super().__init__(
            ALGORITHM, audience=settings.TOKEN_AUDIENCE, issuer=settings.TOKEN_ISSUER, leeway=clocks.leeway()
        )

    def encode(self, payload: dict[str, Any]) -> str:
        key = keyset.signing()
        claims = {**payload, "aud": self.audience, "iss": self.issuer}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.id})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            key = keyset.verifying(_key_id(token))
            if key is None:
                raise TokenBackendError("The token names no key of ours.")
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.get_leeway(),
                options={"require": list(REQUIRED), "strict_aud": True},
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenBackendError(str(error)) from error


backend = RotatingBackend()
_verified_lock = threading.Lock()
_verified: TTLCache[bytes, Verified] = TTLCache(VERIFIED_KEPT, VERIFIED_SECONDS)


class _SignedToken(SimpleToken):
    def get_token_backend(self) -> RotatingBackend:
        return backend


class SignedAccessToken(_SignedToken):
    token_type = "access"  # noqa: S105
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)


class SignedRefreshToken(_SignedToken):
    token_type = "refresh"  # noqa: S105
    lifetime = timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)


def read_access(text: str) -> tuple[Subject, TokenState]:
    """The bearer of an access token whose signature and claims hold, and what decides whether it is still good.

    Whether it was revoked is not known yet. Raises TokenRefused.
    """
    digest = sha256(text.encode()).digest()  # which takes less room than the token
    with _verified_lock:
        known = _verified.get(digest)
    if known is None or not known.still_holds:
        known = _verify(text)
        with _verified_lock:
            _verified[digest] = known
    return known.subject, known.state


def forget_verified() -> None:
    with _verified_lock:
        _verified.clear()


def _verify(text: str) -> Verified:
    claims = _read(SignedAccessToken, text)
    try:
        subject = Subject(
            type=USER,
            id=str(UUID(claims["sub"])),
            tenant_id=UUID(claims["tid"]),
            role=str(claims["role"]),
            permissions=_permissions(tuple(claims["permissions"])),
            session_id=str(UUID(claims["sid"])),
            token_id=str(UUID(claims["jti"])),
        )
        state = TokenState(
            subject.token_id,
            subject.session_id,
            str(subject.tenant_id),
            str(UUID(claims["mid"])),
            int(claims["ver"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TokenRefused from error
    return Verified(_key_id(text), claims["exp"], subject, state)


@lru_cache(maxsize=256)
def _permissions(claimed: tuple[str, ...]) -> frozenset[str]:
    """One set for all who have the same, as they are kept in their thousands."""
    return frozenset(claimed) | EVERYONE


def read_refresh(text: str) -> tuple[UUID, UUID, UUID]:
    """The ``jti``, family and tenant of a refresh token. Raises TokenRefused."""
    claims = _read(SignedRefreshToken, text)
    try:
        return UUID(claims["jti"]), UUID(claims["sid"]), UUID(claims["tid"])
    except (TypeError, ValueError, AttributeError) as error:
        raise TokenRefused from error


def _key_id(text: Any) -> str:
    """The key that a token names. Raises jwt.InvalidTokenError."""
    return str(jwt.get_unverified_header(text).get("kid", ""))


def _read(kind: type[_SignedToken], text: str) -> dict[str, Any]:
    if len(text) > MAX_LENGTH or not WELL_FORMED.fullmatch(text):
        raise TokenRefused
    try:
        claims: dict[str, Any] = kind(text).payload  # type: ignore[arg-type]
    except TokenError as error:
        raise TokenRefused from error
    return claims
