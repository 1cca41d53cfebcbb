"""A cache in which nobody can name another tenant's key."""

from __future__ import annotations

from typing import NoReturn

from django_redis.cache import RedisCache

from ..context import ControlContext, TenantContext, current
from ..errors import ContextError, NoTenantContext


def make_key(key: str, prefix: str, version: int | str) -> str:
    """The stored key, led by the context it belongs to. Raises NoTenantContext without one."""
    return f"{prefix}:{_owner()}:{version}:{key}"


def reverse_key(key: str) -> str:
    return key.split(":", 3)[3]


def _owner() -> str:
    context = current()
    if isinstance(context, TenantContext):
        return context.tenant_id.hex
    if isinstance(context, ControlContext):
        return "control"
    raise NoTenantContext("A cache key belongs to a tenant or to the control plane; no context is active.")


class TenantCache(RedisCache):  # type: ignore[misc]
    def clear(self) -> NoReturn:
        raise ContextError("clear() would empty every tenant's cache; delete keys by name or pattern.")
