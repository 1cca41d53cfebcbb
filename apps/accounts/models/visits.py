"""Staff of the platform looking into an organization."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import F, Q

from apps.tenancy.fields import TenantKey

from .people import User

LONGEST = timedelta(hours=1)


class SupportVisit(models.Model):
    """Leave for one member of staff to look into one organization, for a stated reason and an hour at most.

    It is not a membership: it is in no list of members and counts as no seat. ``code_hash`` is that of the one-use
    code with which it begins on the organization's host.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="+", privileges="")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=500)
    code_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="accounts_supportvisit_is_short", condition=Q(expires_at__lte=F("created_at") + LONGEST)
            ),
            models.CheckConstraint(name="accounts_supportvisit_has_reason", condition=~Q(reason="")),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["-created_at"], name="accounts_supportvisit_newest"),
        ]

    def __str__(self) -> str:
        return f"visit of {self.user_id} to {self.tenant_id}"
