"""Tokens of API clients, the keys that sign them, and what voids them."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.db import models

from apps.core import clocks
from apps.tenancy.constraints import TenantRelation
from apps.tenancy.fields import TenantKey

from .people import Membership, User


class SigningKey(models.Model):
    """A key pair; the private part is wrapped by a master key. Its id is the ``kid`` of tokens."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    public_key = models.TextField()
    private_key = models.BinaryField()
    master_version = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    signs_from = models.DateTimeField()  # later than its creation, so that every verifier knows it by then
    retires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"signing key {self.id}"


class TokenFamily(models.Model):
    """One sign-in of an API client: all tokens that descend from it live and die together."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="+", privileges="")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    refreshed_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant", "user"], name="accounts_tokenfamily_member"),
        ]

    def __str__(self) -> str:
        return f"tokens of {self.user_id}"


class RefreshToken(models.Model):
    """A refresh token by its ``jti``; using it twice kills its family."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="+", privileges="")
    family = models.ForeignKey(TokenFamily, models.CASCADE, related_name="refresh_tokens")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"refresh token of {self.family_id}"


class RevokedToken(models.Model):
    """An access token, by its ``jti``, that is void before it expires."""

    id = models.UUIDField(primary_key=True, editable=False)
    tenant = TenantKey(related_name="+", privileges="")
    family = models.ForeignKey(TokenFamily, models.CASCADE, related_name="revoked_tokens")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"revoked token {self.id}"


class ApiKey(models.Model):
    """A key that a member gives to a program; only its hash is kept. It never does more than its maker may now."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="api_keys", privileges="SELECT")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=20, unique=True)
    secret_hash = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_by_id = models.UUIDField(null=True)
    maker = TenantRelation(Membership, column="created_by_id", remote="user")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="accounts_apikey_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_live(self) -> bool:
        """Whether it does anything: it was not revoked, has not run out, and its maker is still here."""
        expired = self.expires_at is not None and self.expires_at <= clocks.over()
        return self.revoked_at is None and not expired and self.maker is not None and self.maker.user.is_active

    @property
    def permissions(self) -> frozenset[str]:
        """Its scopes, as far as its maker has them now."""
        return frozenset(self.scopes) & self.maker.permissions if self.maker else frozenset()
