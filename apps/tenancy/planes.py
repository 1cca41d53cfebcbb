"""Which plane a model lives in: the tenant's schema or the control plane's."""

from __future__ import annotations

from typing import Any

from django.apps import apps

TENANT = "tenant"
CONTROL = "control"


def plane_of(model: Any) -> str:
    """The plane of a model class, historical ones in migrations included: its tenant_id column says it."""
    for field in model._meta.local_fields:
        if field.column == "tenant_id":
            return str(getattr(field, "plane", CONTROL))
    return CONTROL


def tenant_models() -> list[Any]:
    """Every concrete model whose table stands in each tenant's schema."""
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and plane_of(m) == TENANT]


def walled_control_models() -> list[Any]:
    """Every control-plane model whose rows belong to a tenant."""
    return [m for m in control_models() if any(f.column == "tenant_id" for f in m._meta.local_fields)]


def control_models() -> list[Any]:
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.managed and plane_of(m) == CONTROL]
