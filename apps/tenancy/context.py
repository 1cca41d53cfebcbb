"""The context in which code touches data: none, one tenant, or the control plane.

It lives in one ContextVar: every thread starts without one, tasks and ``sync_to_async`` inherit theirs.
Without a context the database itself refuses every read, because the login role owns nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import structlog

from .errors import NoTenantContext

CONTROL_ALIAS = "default"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TenantContext:
    """Rights on the rows of one tenant, where they are placed.

    ``schema_name`` is the tenant's logical name; ``alias`` and ``schema`` say where its rows are; ``tenant`` is the
    row of the control plane that it was made of.
    """

    tenant_id: UUID
    schema_name: str
    alias: str
    schema: str
    slug: str = field(default="", compare=False)
    placement: str = field(default="", compare=False)
    status: str = field(default="", compare=False)
    tenant: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ControlContext:
    """Rights on the control plane; the reason is for logs and makes no other context."""

    reason: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class OutboxContext:
    """Rights on the outbox of one database, for those who hand its events over or finish them; on nothing else."""

    alias: str


Context = TenantContext | ControlContext | OutboxContext | None

_current: ContextVar[Context] = ContextVar("tenancy_context", default=None)


def current() -> Context:
    return _current.get()


def current_tenant() -> TenantContext:
    """The tenant context. Raises NoTenantContext outside one."""
    context = _current.get()
    if not isinstance(context, TenantContext):
        raise NoTenantContext("This needs a tenant context; none is active.")
    return context


def current_tenant_id() -> UUID:
    """The current tenant's id; the default of every tenant-plane row. Raises NoTenantContext."""
    return current_tenant().tenant_id


@contextmanager
def use(context: Context) -> Iterator[Context]:
    """Run the block in the given context, whatever happens inside, and return to the one before."""
    token = _current.set(context)
    try:
        with structlog.contextvars.bound_contextvars(**_log_fields(context)):
            yield context
    finally:
        _current.reset(token)


@contextmanager
def control(reason: str) -> Iterator[None]:
    """Enter the control plane. The reason is shown in logs and in the database's activity view."""
    if not reason.strip():
        raise ValueError("The control plane is entered with a reason.")
    token = _current.set(ControlContext(reason))
    try:
        yield
    finally:
        _current.reset(token)


def iterate_inside(context: Context, items: Iterable[T]) -> Iterator[T]:
    """Yield the items, entering the context for each step: for responses streamed after their view."""
    iterator = iter(items)
    while True:
        with use(context):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item


async def iterate_inside_async(context: Context, items: AsyncIterable[T]) -> AsyncIterator[T]:
    """The same for a response that is streamed asynchronously."""
    iterator = aiter(items)
    while True:
        with use(context):
            try:
                item = await anext(iterator)
            except StopAsyncIteration:
                return
        yield item


def replace(context: Context) -> None:
    """Change the context until the surrounding ``use`` ends: what django-tenants' unscoped calls do."""
    _current.set(context)


def _log_fields(context: Context) -> dict[str, str]:
    if isinstance(context, TenantContext):
        return {"tenant": context.slug or context.schema_name, "tenant_id": str(context.tenant_id)}
    return {}
