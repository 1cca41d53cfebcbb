"""What Django does on the database that nobody names: in a context it is the context's, not always ``default``.

Libraries write ``transaction.atomic()``, ``on_commit()`` and ``connection.cursor()`` without naming a database. An
organization with a database of its own has its rows there and some, such as its members, in the control database;
such a transaction is one on both then, the tenant's committed first.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django import db
from django.db import connections, transaction
from django.db.transaction import Atomic

from .context import CONTROL_ALIAS, OutboxContext, TenantContext, current


class _Unnamed(str):
    """The alias that Django takes for want of a name, told from the same name written by somebody."""

    __slots__ = ()


UNNAMED = _Unnamed(CONTROL_ALIAS)


def home() -> str:
    """The alias of the current context's database; without a context that of the control plane."""
    context = current()
    return context.alias if isinstance(context, TenantContext | OutboxContext) else CONTROL_ALIAS


class ContextAtomic(Atomic):
    """A transaction, or savepoint; if no database is named, on each that the context it is entered in may write to."""

    def __init__(self, using: str | None, savepoint: bool, durable: bool) -> None:
        super().__init__(using, savepoint, durable)
        self.durable = durable
        self.is_named = using is not None and using is not UNNAMED
        self._entered: list[tuple[tuple[str, ...], ExitStack]] = []

    def _recreate_cm(self) -> ContextAtomic:
        """As a decorator it is shared by all threads."""
        return self if self.is_named else type(self)(self.using, self.savepoint, self.durable)

    def __enter__(self) -> None:
        if self.is_named:
            super().__enter__()
            return
        aliases = tuple(dict.fromkeys((CONTROL_ALIAS, home())))
        with ExitStack() as stack:
            for alias in aliases:
                stack.enter_context(Atomic(alias, self.savepoint, self.durable))
            _opened().append(aliases)
            self._entered.append((aliases, stack.pop_all()))

    def __exit__(self, *raised: Any) -> None:
        if self.is_named:
            super().__exit__(*raised)
            return
        aliases, stack = self._entered.pop()
        _opened().pop()
        if any(connections[alias].needs_rollback for alias in aliases):
            for alias in aliases:
                connections[alias].needs_rollback = True
        stack.__exit__(*raised)


def leaves_out(alias: str) -> bool:
    """Whether an unnamed transaction is open that began where this database was not the context's."""
    return any(alias not in aliases for aliases in _opened())


def install() -> None:
    """Make Django ask for the context wherever it would take ``default`` for want of a name."""
    transaction.get_connection = _connection
    transaction.Atomic = ContextAtomic  # type: ignore[misc]
    transaction.DEFAULT_DB_ALIAS = UNNAMED  # type: ignore[attr-defined]  # what @atomic without parentheses takes
    db.connection.__dict__["_connections"] = _OfContext()


class _OfContext:
    """Where ``django.db.connection`` looks itself up."""

    def __getitem__(self, alias: str) -> Any:
        return connections[home()]


def _connection(using: str | None = None) -> Any:
    return connections[home() if using is None or using is UNNAMED else using]


def _opened() -> list[tuple[str, ...]]:
    """The databases of the unnamed transactions of this thread, the outermost first."""
    control: Any = connections[CONTROL_ALIAS]
    opened: list[tuple[str, ...]] = control.unnamed_transactions
    return opened
