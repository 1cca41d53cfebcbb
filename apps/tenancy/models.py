"""The abstract model of everything that belongs to a tenant."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import models

from .context import TenantContext, current
from .errors import CrossTenantUse, NoTenantContext
from .fields import GeneratedUUID, TenantIdField


class OwnTenant(models.Expression):
    """The current tenant's id in a WHERE clause, read when the SQL is made.

    A queryset built inside a tenant stays that tenant's: run in another context it raises, instead of
    quietly showing the other tenant's rows.
    """

    def __init__(self, built_for: UUID | None) -> None:
        super().__init__(output_field=models.UUIDField())
        self.built_for = built_for

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        context = current()
        if not isinstance(context, TenantContext):
            raise NoTenantContext("A tenant's rows were asked for outside a tenant context.")
        if self.built_for is not None and self.built_for != context.tenant_id:
            raise CrossTenantUse("A queryset built for one tenant was run in another tenant's context.")
        return "%s", [context.tenant_id]


class TenantManager(models.Manager):  # type: ignore[type-arg]
    """Sees the rows of the current tenant only, row-level security or not."""

    def get_queryset(self) -> models.QuerySet[Any]:
        context = current()
        built_for = context.tenant_id if isinstance(context, TenantContext) else None
        return super().get_queryset().filter(tenant_id=OwnTenant(built_for))


class TenantModel(models.Model):
    """A row of one tenant: same table shape, same walls, in a pool, an own schema or an own database.

    Uniqueness is declared as UniqueConstraint(fields=["tenant_id", …]), references as
    ForeignKey(db_constraint=False) plus a TenantForeignKey constraint; system checks hold both.
    """

    id = models.UUIDField(primary_key=True, db_default=GeneratedUUID(), editable=False)
    tenant_id = TenantIdField()

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="%(app_label)s_%(class)s_tenant_key"),
        ]
