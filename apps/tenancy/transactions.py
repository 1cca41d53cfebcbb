"""Transactions that belong to the context they are opened in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from .context import CONTROL_ALIAS, ControlContext, TenantContext, current
from .errors import ContextChangedInTransaction, NoTenantContext


@contextmanager
def atomic() -> Iterator[None]:
    """A transaction (or savepoint) on the database of the current context.

    Until it ends no statement of another context may run on that connection. Raises NoTenantContext without
    a context, ContextChangedInTransaction when an enclosing one belongs to another context.
    """
    connection: Any = connections[_alias()]
    outer = connection.transaction_context
    if outer is not None and outer[0] != current():
        raise ContextChangedInTransaction("An enclosing transaction belongs to another context.")
    with transaction.atomic(using=connection.alias):
        connection.transaction_context = (current(),)
        try:
            yield
        finally:
            connection.transaction_context = outer


def in_transaction() -> bool:
    """Whether a transaction of the current context is open. Raises NoTenantContext."""
    return bool(connections[_alias()].in_atomic_block)


def after_commit(work: Callable[[], None]) -> None:
    """Do something once the current transaction is committed; at once if none is open."""
    transaction.on_commit(work, using=_alias())


def lock(name: str) -> None:
    """Wait for a named lock of the current context's database, and hold it until the transaction ends."""
    with connections[_alias()].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _alias() -> str:
    context = current()
    if isinstance(context, TenantContext):
        return context.alias
    if isinstance(context, ControlContext):
        return CONTROL_ALIAS
    raise NoTenantContext("A transaction needs a context: enter a tenant or the control plane first.")
