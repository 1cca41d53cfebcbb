"""Relations of people to single things, and what was asked before: repeated calls, attempts to get in."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q

from apps.core.encryption import EncryptedTextField
from apps.tenancy.fields import TenantKey
from apps.tenancy.models import TenantModel

from .permissions import Relation


class Share(TenantModel):
    """The tuple (person, relation, object). A person has one relation to an object."""

    user_id = models.UUIDField()
    relation = models.CharField(max_length=10, choices=Relation.choices)
    object_type = models.CharField(max_length=20)
    object_id = models.UUIDField()
    created_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        db_table = "accounts_share"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="accounts_share_tenant_key"),
            models.UniqueConstraint(
                fields=["tenant_id", "object_type", "object_id", "user_id"], name="accounts_share_once"
            ),
            models.CheckConstraint(name="accounts_share_relation_known", condition=Q(relation__in=Relation.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "user_id", "object_type"], name="accounts_share_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.relation} of {self.object_type} {self.object_id}"


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
        db_table = "accounts_idempotentcall"
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
        db_table = "accounts_attempt"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["key", "attempted_at"], name="accounts_attempt_recent"),
        ]

    def __str__(self) -> str:
        return self.key
