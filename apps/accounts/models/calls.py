"""What was asked before: repeated calls, and attempts to get in."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

from django.db import models

from apps.core.encryption import EncryptedTextField
from apps.tenancy.fields import TenantKey


class IdempotentCall(models.Model):
    """A call under an Idempotency-Key, and its answer once there is one."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="+", privileges="")
    caller = models.CharField(max_length=120)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body: Any = EncryptedTextField(null=True)  # it may show a new secret
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "caller", "key"], name="accounts_idempotentcall_once"),
        ]

    def __str__(self) -> str:
        return f"call {self.key}"


class Attempt(models.Model):
    """A counted attempt to get in, noted here while the counter in memory is away."""

    key = models.CharField(max_length=64)
    attempted_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["key", "attempted_at"], name="accounts_attempt_recent"),
        ]

    def __str__(self) -> str:
        return self.key
