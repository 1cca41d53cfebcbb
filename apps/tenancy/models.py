"""The abstract model of everything that belongs to a tenant."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models.lookups import Exact
from django.db.models.sql.where import AND

from .context import TenantContext, current
from .errors import CrossTenantUse, NoTenantContext
from .fields import RowIdField, TenantIdField


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


class TenantQuerySet(models.QuerySet):  # type: ignore[type-arg]
    """Rows that were fetched for one tenant are not handed to another."""

    _fetched_for: UUID | None = None

    def _fetch_all(self) -> None:
        context = current()
        tenant_id = context.tenant_id if isinstance(context, TenantContext) else None
        if self._result_cache is None:
            self._fetched_for = tenant_id
        elif tenant_id is not None and tenant_id != self._fetched_for:
            raise CrossTenantUse("Rows fetched for one tenant were read in another tenant's context.")
        super()._fetch_all()  # type: ignore[misc]


_Manager: Any = models.Manager.from_queryset(TenantQuerySet)


class TenantManager(_Manager):
    """Sees the rows of the current tenant only, row-level security or not."""

    def get_queryset(self) -> models.QuerySet[Any]:
        context = current()
        built_for = context.tenant_id if isinstance(context, TenantContext) else None
        rows: models.QuerySet[Any] = super().get_queryset()
        rows.query.where.add(_of(self.model, rows.query.get_initial_alias(), built_for), AND)
        return rows


def _of(model: Any, alias: str, tenant_id: UUID | None) -> Exact:
    """What ``filter(tenant_id=…)`` makes, without finding the column by its name for each of many querysets."""
    return Exact(model._meta.get_field("tenant_id").get_col(alias), OwnTenant(tenant_id))


class TenantModel(models.Model):
    """A row of one tenant: same table shape, same walls, in a pool, an own schema or an own database.

    Uniqueness is declared as UniqueConstraint(fields=["tenant_id", …]), references as
    ForeignKey(db_constraint=False) plus a TenantForeignKey constraint; system checks hold both.
    """

    id = RowIdField(primary_key=True)
    tenant_id = TenantIdField()

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="%(app_label)s_%(class)s_tenant_key"),
        ]
