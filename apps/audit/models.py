"""What happened, who did it, and the seals that make later changes visible.

Each plane has its own log: an event is written in the transaction of the act, in the database of the act.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models.expressions import Func, Value
from django.db.models.functions import Coalesce

from apps.tenancy.fields import TenantIdField, TenantKey
from apps.tenancy.models import TenantModel
from apps.tenancy.walls.roles import NIL_TENANT

APPEND_ONLY = "SELECT, INSERT"


class ClockTimestamp(Func):
    """The time of the statement rather than of the transaction: events of one transaction stay in order."""

    function = "clock_timestamp"
    arity = 0
    output_field = models.DateTimeField()


class TransactionId(Func):
    """The writing transaction; rows below every running one's id can be sealed, as none can follow any more."""

    template = "(pg_current_xact_id()::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


class Occurrence(models.Model):
    """The fields of an event, in either plane."""

    occurred_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    transaction_id = models.BigIntegerField(db_default=TransactionId(), editable=False)
    actor_type = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=100, blank=True)
    actor_ip = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=100)
    resource_type = models.CharField(max_length=50)
    resource_id = models.CharField(max_length=100, blank=True)
    changes = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.action} {self.resource_type} {self.resource_id}"


class Link(models.Model):
    """One link of a chain: the hash of an event and of the link before it."""

    event_id = models.UUIDField()
    transaction_id = models.BigIntegerField()
    number = models.BigIntegerField()
    hash = models.BinaryField()
    sealed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"seal {self.number}"


class Event(TenantModel, Occurrence):
    """An act inside an organization."""

    tenant_id = TenantIdField(privileges=APPEND_ONLY)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "-occurred_at", "-id"], name="audit_event_newest"),
            models.Index(fields=["tenant_id", "transaction_id", "occurred_at"], name="audit_event_sealing"),
            models.Index(fields=["tenant_id", "resource_id", "-occurred_at"], name="audit_event_resource"),
        ]


class Seal(TenantModel, Link):
    tenant_id = TenantIdField(privileges=APPEND_ONLY)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "number"], name="audit_seal_number"),
            models.UniqueConstraint(fields=["tenant_id", "event_id"], name="audit_seal_event"),
        ]


def owner_key(*, privileges: str = "SELECT", control_privileges: str = APPEND_ONLY) -> TenantKey:
    """The organization that a row of the control plane is about; the row outlives it."""
    return TenantKey(
        settings.TENANT_MODEL,
        models.DO_NOTHING,
        privileges=privileges,
        control_privileges=control_privileges,
        db_constraint=False,
        null=True,
        related_name="+",
    )


def owner_or_nobody() -> Coalesce:
    """The owner in a unique constraint, where all rows without one count as one owner's."""
    return Coalesce("tenant", Value(UUID(NIL_TENANT)))


class ControlEvent(Occurrence):
    """An act in the control plane: about an organization and its people, or about the platform itself."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = owner_key()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant", "-occurred_at", "-id"], name="audit_controlevent_newest"),
            models.Index(fields=["-occurred_at", "-id"], name="audit_controlevent_recent"),
            models.Index(fields=["tenant", "transaction_id", "occurred_at"], name="audit_controlevent_sealing"),
            models.Index(fields=["transaction_id", "tenant"], name="audit_controlevent_unsealed"),
        ]


class ControlSeal(Link):
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = owner_key()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(owner_or_nobody(), "number", name="audit_controlseal_number"),
            models.UniqueConstraint(fields=["event_id"], name="audit_controlseal_event"),
        ]


class Anchor(models.Model):
    """How far a chain had come, kept in the control plane: a chain that ends earlier was cut off."""

    class Chain(models.TextChoices):
        TENANT = "tenant"
        CONTROL = "control"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = owner_key()
    chain = models.CharField(max_length=7, choices=Chain.choices)
    number = models.BigIntegerField()
    hash = models.BinaryField()
    anchored_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(owner_or_nobody(), "chain", "number", name="audit_anchor_number"),
        ]

    def __str__(self) -> str:
        return f"{self.chain} chain up to {self.number}"


class SinkCursor(models.Model):
    """How far a sink was sent a chain, and which worker has it to itself, until when."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = owner_key(privileges="", control_privileges="SELECT, INSERT, UPDATE (number, claimed_by, claimed_until)")
    chain = models.CharField(max_length=7, choices=Anchor.Chain.choices)
    sink = models.CharField(max_length=50)
    number = models.BigIntegerField()
    claimed_by = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(owner_or_nobody(), "chain", "sink", name="audit_sinkcursor_sink"),
        ]

    def __str__(self) -> str:
        return f"{self.sink} has the {self.chain} chain up to {self.number}"
