"""What a person is to one thing of their organization."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.tenancy.models import TenantModel

from ..permissions import Relation


class Share(TenantModel):
    """The tuple (person, relation, object). A person has one relation to an object."""

    user_id = models.UUIDField()
    relation = models.CharField(max_length=10, choices=Relation.choices)
    object_type = models.CharField(max_length=20)
    object_id = models.UUIDField()
    created_by_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
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
