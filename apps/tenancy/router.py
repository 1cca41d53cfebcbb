"""Where a model's rows are: decided by the model's plane and the current context."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections
from django_tenants.routers import TenantSyncRouter

from .context import CONTROL_ALIAS, TenantContext, current
from .errors import NoTenantContext
from .planes import CONTROL, TENANT, plane_of


class PlaneRouter(TenantSyncRouter):  # type: ignore[misc]
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return self._home_of(model)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return self._home_of(model)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return plane_of(type(one)) == plane_of(type(other))

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """DDL runs on an owner's connection only, and there for the plane it was pointed at."""
        plane = getattr(connections[db], "migration_plane", None)
        if plane is None:
            return False
        if model_name is None:
            return bool(hints.get("plane", CONTROL) == plane)
        model = hints.get("model") or apps.get_model(app_label, model_name)
        return plane_of(model) == plane

    def _home_of(self, model: Any) -> str:
        if plane_of(model) != TENANT:
            return CONTROL_ALIAS
        context = current()
        if not isinstance(context, TenantContext):
            raise NoTenantContext(f"{model._meta.label} belongs to a tenant; no tenant context is active.")
        return context.alias
