"""The keys that sign tokens: made, handed over with an overlap, retired."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import SYSTEM, Actor
from apps.core.clocks import leeway
from apps.core.encryption import wrap
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic, lock

from ..models import SigningKey

KEY_BITS = 2048


def ensure_signing_key() -> None:
    """Make the first key, once."""
    with control("make the first signing key"), atomic():
        lock("signing keys")
        if not _live().exists():
            _make(SYSTEM, seconds_until_use=0)


def rotate_signing_keys(*, actor: Actor) -> SigningKey:
    """Make a key that signs as soon as every verifier can know it.

    The keys before it verify for as long as a token that they signed may live, so nobody is signed out. Where no
    key signs yet, this one does at once.
    """
    with control("rotate signing keys"), atomic():
        lock("signing keys")
        signs = _live().filter(signs_from__lte=timezone.now()).exists()
        key = _make(actor, seconds_until_use=settings.SIGNING_KEY_NOTICE_SECONDS if signs else 0)
        last_use = key.signs_from + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS) + leeway()
        SigningKey.objects.filter(retires_at=None).exclude(id=key.id).update(retires_at=last_use)
    return key


def replace_signing_keys(*, actor: Actor) -> SigningKey:
    """After a leak: a new key signs at once, and what older keys signed is void within the minute."""
    with control("replace signing keys"), atomic():
        lock("signing keys")
        key = _make(actor, seconds_until_use=0)
        SigningKey.objects.exclude(id=key.id).update(retires_at=timezone.now())
    return key


def _live() -> QuerySet[SigningKey]:
    return SigningKey.objects.filter(Q(retires_at=None) | Q(retires_at__gt=timezone.now()))


def _make(actor: Actor, *, seconds_until_use: int) -> SigningKey:
    pair, key_id = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS), uuid4()
    private = pair.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = pair.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    version, wrapped = wrap(private, owner=key_id)
    key = SigningKey.objects.create(
        id=key_id,
        public_key=public.decode(),
        private_key=wrapped,
        master_version=version,
        signs_from=timezone.now() + timedelta(seconds=seconds_until_use),
    )
    audit.record("signing_key.created", actor=actor, resource=key)
    return key
