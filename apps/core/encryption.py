"""Envelope encryption: AES-256-GCM under a key per tenant, wrapped by a master key from the environment.

An encrypted value is ``format (1) | data key id (16) | nonce (12) | ciphertext and tag``. The names of the model and
column are authenticated with it, so an encrypted value cannot be moved to another column.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import models
from django.utils.module_loading import import_string

FORMAT = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32


class DecryptionError(Exception):
    """An encrypted value cannot be opened: wrong key, wrong column, or changed."""


@dataclass(frozen=True)
class OpenedKey:
    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        return f"DataKey({self.id})"


class DataKeys(Protocol):
    """Where data keys come from; ``settings.DATA_KEYS`` names the implementation."""

    def newest(self, tenant_id: UUID) -> OpenedKey: ...

    def by_id(self, key_id: UUID) -> OpenedKey: ...


@lru_cache(maxsize=4)
def parse_master_keys(value: str) -> dict[int, bytes]:
    """``version:base64url[,version:base64url…]`` as a dict. Raises ValueError, without the value."""
    keys: dict[int, bytes] = {}
    for part in value.split(","):
        version, _, encoded = part.strip().partition(":")
        try:
            number, secret = int(version), base64.b64decode(encoded, altchars="-_", validate=True)
        except (ValueError, binascii.Error):
            number, secret = 0, b""
        if len(secret) != KEY_BYTES or number in keys:
            raise ValueError("MASTER_KEYS must be a list of version:base64url(32 bytes), each version once")
        keys[number] = secret
    return keys


def new_data_key() -> bytes:
    return os.urandom(KEY_BYTES)


def wrap(secret: bytes, *, owner: UUID) -> tuple[int, bytes]:
    """Wrap a tenant's data key under the newest master key: (master key version, wrapped key)."""
    keys = parse_master_keys(settings.MASTER_KEYS)
    version = max(keys)
    return version, _encrypt(keys[version], secret, owner.bytes)


def unwrap(wrapped: bytes, *, owner: UUID, version: int) -> bytes:
    keys = parse_master_keys(settings.MASTER_KEYS)
    if version not in keys:
        raise DecryptionError(f"MASTER_KEYS has no version {version}.")
    return _decrypt(keys[version], wrapped, owner.bytes)


class EncryptedText:
    """An encrypted text that is opened on demand and never shown by accident."""

    def __init__(self, encrypted: bytes, location: bytes) -> None:
        self.encrypted = encrypted
        self._location = location

    def reveal(self) -> str:
        """The plain text. Raises DecryptionError."""
        if self.encrypted[:1] != FORMAT:
            raise DecryptionError("Unknown format.")
        key = _data_keys().by_id(UUID(bytes=self.encrypted[1:17]))
        return _decrypt(key.secret, self.encrypted[17:], self._location).decode()

    def __repr__(self) -> str:
        return "<encrypted>"

    __str__ = __repr__


class EncryptedTextField(models.BinaryField):  # type: ignore[type-arg]
    """Text encrypted with the key of the row's tenant: assign a str, read back an EncryptedText.

    The model must have a ``tenant_id``. Written by ``save()`` only: ``update()`` and lookups are refused, as
    they know no row.
    """

    def pre_save(self, instance: models.Model, add: bool) -> bytes | None:
        value = getattr(instance, self.attname)
        if value is None:
            return None
        if isinstance(value, str):
            key = _data_keys().newest(instance.tenant_id)  # type: ignore[attr-defined]
            encrypted = FORMAT + key.id.bytes + _encrypt(key.secret, value.encode(), self._location)
            value = EncryptedText(encrypted, self._location)
            setattr(instance, self.attname, value)
        return _Written(value.encrypted)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is not None and not isinstance(value, _Written):
            self._refuse()
        return super().get_db_prep_value(value, connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> EncryptedText | None:
        return None if value is None else EncryptedText(bytes(value), self._location)

    def value_to_string(self, obj: models.Model) -> Any:
        """As it stands in a dump: encrypted."""
        value: Any = self.value_from_object(obj)
        return value if value is None else base64.b64encode(value.encrypted).decode()

    def to_python(self, value: Any) -> Any:
        """What stands in a dump is written back as it is."""
        return _Written(base64.b64decode(value)) if isinstance(value, str) else value

    @property
    def _location(self) -> bytes:
        """What a value is bound to: its column, which stays the same when a model moves to another app."""
        return f"{self.model._meta.db_table.replace('_', '.', 1)}.{self.column}".encode()

    def _refuse(self) -> NoReturn:
        raise TypeError(f"{self.name} is encrypted: write it with save().")


class _Written(bytes):
    """An encrypted value that came from pre_save()."""


@lru_cache(maxsize=1)
def _data_keys() -> DataKeys:
    keys: DataKeys = import_string(settings.DATA_KEYS)
    return keys


def _encrypt(key: bytes, plain: bytes, authenticated: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, authenticated)


def _decrypt(key: bytes, encrypted: bytes, authenticated: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], authenticated)
    except InvalidTag as error:
        raise DecryptionError("The value was encrypted with another key, for another column, or changed.") from error
