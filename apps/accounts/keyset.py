"""The signing keys as this process knows them, and the public ones as JWKS (RFC 7517)."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from django.db.models import Q
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm

from apps.core import clocks
from apps.core.encryption import unwrap
from apps.tenancy.context import control

from .models import SigningKey
from .services.signing_keys import ensure_signing_key

KNOWN_FOR_SECONDS = 30.0
ASK_AGAIN_SECONDS = 2.0  # for a key id that is not known: new, or made up


@dataclass(frozen=True)
class Key:
    id: str
    public: RSAPublicKey
    private: RSAPrivateKey
    signs_from: datetime
    retires_at: datetime | None


class KeySet:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._loaded_at = -KNOWN_FOR_SECONDS

    def signing(self) -> Key:
        """The newest key that is in use."""
        live = self._live()  # may make the first key, so the time is asked afterward
        usable = [key for key in live.values() if key.signs_from <= clocks.begun()]
        return max(usable, key=lambda key: key.signs_from)

    def verifying(self, key_id: str) -> RSAPublicKey | None:
        """The public key of an id, if it is one of ours and not retired."""
        key = self._live().get(key_id) or self._live(ASK_AGAIN_SECONDS).get(key_id)
        return key.public if key else None

    def as_jwks(self) -> dict[str, Any]:
        keys = sorted(self._live(0).values(), key=lambda key: key.signs_from)
        return {"keys": [{**json.loads(RSAAlgorithm.to_jwk(k.public)), **_use(k)} for k in keys]}

    def forget(self) -> None:
        self._loaded_at = -KNOWN_FOR_SECONDS

    def _live(self, max_age: float = KNOWN_FOR_SECONDS) -> dict[str, Key]:
        with self._lock:
            if time.monotonic() - self._loaded_at >= max_age:
                self._keys = _load()
                self._loaded_at = time.monotonic()
            now = timezone.now()
            return {key.id: key for key in self._keys.values() if key.retires_at is None or key.retires_at > now}


keyset = KeySet()


def _load() -> dict[str, Key]:
    with control("load signing keys"):
        live = SigningKey.objects.filter(Q(retires_at=None) | Q(retires_at__gt=timezone.now()))
        rows = list(live)
        if not any(row.signs_from <= clocks.begun() for row in rows):
            ensure_signing_key()
            rows = list(live.all())
    return {str(row.id): _opened(row) for row in rows}


def _opened(row: SigningKey) -> Key:
    secret = unwrap(bytes(row.private_key), owner=row.id, version=row.master_version)
    private: Any = serialization.load_der_private_key(secret, password=None)
    return Key(str(row.id), private.public_key(), private, row.signs_from, row.retires_at)


def _use(key: Key) -> dict[str, str]:
    return {"kid": key.id, "alg": "RS256", "use": "sig"}
