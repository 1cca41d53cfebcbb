"""Where a model's rows are: decided by the model's plane and the current context."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.apps import apps
from django.db import connections
from django_tenants.routers import TenantSyncRouter

from . import replicas
from .context import CONTROL_ALIAS, ControlContext, TenantContext, current
from .errors import ContextError, NoTenantContext
from .planes import CONTROL, TENANT, plane_of

_refusing: ContextVar[bool] = ContextVar("refusing_other_planes", default=False)


@contextmanager
def refusing_other_planes(refusing: bool) -> Iterator[None]:
    """Raise ContextError, instead of passing over them in silence, for rows that are not at home in the context."""
    token = _refusing.set(refusing)
    try:
        yield
    finally:
        _refusing.reset(token)


class PlaneRouter(TenantSyncRouter):  # type: ignore[misc]
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return replicas.for_read(self._home_of(model), model)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return self._home_of(model)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return plane_of(type(one)) == plane_of(type(other))

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Whether a model's table is at home there, for migrations and for dumpdata and its like.

        An owner's connection has the tables of the plane it was pointed at, any other those of the context.
        """
        plane = getattr(connections[db], "migration_plane", None) or _plane_of_context(db)
        if model_name is None:
            return bool(hints.get("plane", CONTROL) == plane)
        at_home = plane_of(hints.get("model") or apps.get_model(app_label, model_name)) == plane
        if not at_home and _refusing.get():
            raise ContextError(f"Rows of {app_label}.{model_name} do not belong into this context.")
        return at_home

    def _home_of(self, model: Any) -> str:
        if plane_of(model) != TENANT:
            return CONTROL_ALIAS
        context = current()
        if not isinstance(context, TenantContext):
            raise NoTenantContext(f"{model._meta.label} belongs to a tenant; no tenant context is active.")
        return context.alias


def _plane_of_context(db: str) -> str | None:
    context = current()
    if isinstance(context, TenantContext):
        return TENANT if db == context.alias else None
    return CONTROL if isinstance(context, ControlContext) and db == CONTROL_ALIAS else None
