"""Which plane a model lives in: the tenant's schema or the control plane's."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import models

TENANT = "tenant"
CONTROL = "control"
READ_BY_TENANTS = frozenset({"contenttypes.ContentType"})  # names of models, which tell nothing of anybody


def plane_of(model: Any) -> str:
    """The plane of a model class, historical ones in migrations included: its tenant_id column says it."""
    for field in model._meta.local_fields:
        if field.column == "tenant_id":
            return str(getattr(field, "plane", CONTROL))
    return CONTROL


def tenant_column(model: Any) -> Any:
    """The column that says whose a row is; None where there is none, or what a library calls so is no UUID."""
    column: Any = next((field for field in model._meta.local_fields if field.column == "tenant_id"), None)
    held = column
    while isinstance(held, models.ForeignKey):
        held = held.target_field
    return column if isinstance(held, models.UUIDField) else None


def table_name(model: Any) -> str:
    """The name of a model's table as PostgreSQL knows it; Django takes one in quotes, too."""
    return str(model._meta.db_table).strip('"')


def tenant_models() -> list[Any]:
    """Every concrete model whose table stands in each tenant's schema."""
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and plane_of(m) == TENANT]


def walled_control_models() -> list[Any]:
    """Every control-plane model whose rows belong to a tenant."""
    return [model for model in control_models() if tenant_column(model) is not None]


def control_models() -> list[Any]:
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and plane_of(m) == CONTROL]
