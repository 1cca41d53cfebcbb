"""django-tenants' own calls (``set_tenant``, ``schema_context``, ``tenant_context`` …) in terms of contexts."""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError
from django_tenants.utils import get_public_schema_name, get_tenant_model

from .context import Context, ControlContext, TenantContext, current, replace

PUBLIC_REASON = "django-tenants public schema"


class ContextTenant:
    """What ``connection.tenant`` is: a context that can be handed back to ``set_tenant``, with the tenant's fields."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.schema_name = schema_name_of(context)
        self._tenant = context.tenant if isinstance(context, TenantContext) else None
        self.id = self.pk = context.tenant_id if isinstance(context, TenantContext) else None

    def __getattr__(self, name: str) -> Any:
        if name == "_tenant" or self._tenant is None:
            raise AttributeError(name)
        return getattr(self._tenant, name)

    def __eq__(self, other: object) -> bool:
        return self.pk is not None and isinstance(other, ContextTenant | get_tenant_model()) and other.pk == self.pk

    def __hash__(self) -> int:
        return hash(self.pk)

    def __str__(self) -> str:
        return self.schema_name if self._tenant is None else str(self._tenant)

    def get_tenant_type(self) -> None:
        return None


def tenant_of(context: Context) -> ContextTenant | None:
    return None if context is None else ContextTenant(context)


def schema_name_of(context: Context) -> str:
    if isinstance(context, TenantContext):
        return context.schema_name
    return str(get_public_schema_name())


def enter(target: Any, *, include_public: bool = True) -> None:
    """Enter the context of a tenant object or a logical schema name; the public schema is the control plane."""
    if not include_public:
        raise NotSupportedError("A tenant's search path always ends with public; leave include_public=False out.")
    replace(_context_of(target))


def leave() -> None:
    replace(None)


def _context_of(target: Any) -> Context:
    if isinstance(target, ContextTenant):
        return target.context
    name = target if isinstance(target, str) else target.schema_name
    if name == get_public_schema_name():
        return ControlContext(PUBLIC_REASON)
    model: Any = get_tenant_model()
    if isinstance(target, model):
        context: TenantContext = target.context()
        return context
    active = current()
    if isinstance(active, TenantContext) and active.schema_name == name:
        return active
    resolved: TenantContext = model.context_for_schema_name(name)
    return resolved
