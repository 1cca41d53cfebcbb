"""SQL as Django makes it, but what is the same in every query of a kind is made once.

The columns of a plain query, and how its rows are ordered, follow from its model and from the names that were given;
Django works them out for each query anew, which costs as much as sending it. What a query asks for (WHERE, LIMIT,
parameters) is not kept: it is compiled each time, under the rules of the context.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db.backends.postgresql import compiler as postgresql
from django.db.backends.postgresql.compiler import (
    SQLAggregateCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)
from django.db.models.expressions import Col
from django.db.models.sql.query import Query

__all__ = ["SQLAggregateCompiler", "SQLCompiler", "SQLDeleteCompiler", "SQLInsertCompiler", "SQLUpdateCompiler"]

KINDS_KEPT = 4096  # the code of a product has some hundreds; who makes them up as they go has them made each time
_columns: dict[Any, Any] = {}
_orders: dict[Any, Any] = {}


class SQLCompiler(postgresql.SQLCompiler):
    """Shared are lists and expressions that nothing changes once they are compiled."""

    def get_select(self, with_col_aliases: bool = False) -> Any:
        kind = None if with_col_aliases else _kind_of_columns(self.query)
        if kind is None:
            return super().get_select(with_col_aliases)
        found = _columns.get(kind)
        if found is None:
            found = super().get_select()
            _keep(_columns, kind, found)
        return found

    def get_order_by(self) -> Any:
        kind = _kind_of_order(self.query)
        if kind is None:
            return super().get_order_by()
        found = _orders.get(kind)
        if found is None:
            found = super().get_order_by()
            _keep(_orders, kind, found)
        return found


def _kind_of_columns(query: Any) -> Any:
    """What the columns of a query follow from; None where there may be more to it."""
    is_plain = type(query) is Query and not (query.annotations or query.extra)
    if not is_plain or query.select_related or query.combinator:
        return None
    model, alias = query.model, query.base_table
    if alias != model._meta.db_table or model._meta.parents:
        return None
    if not all(type(column) is Col and column.alias == alias for column in query.select):
        return None
    names, is_deferred = query.deferred_loading
    selected = None if query.selected is None else tuple(query.selected.items())
    columns = tuple(column.target for column in query.select)
    return model, query.default_cols, columns, selected, frozenset(names), is_deferred


def _kind_of_order(query: Any) -> Any:
    """What the order of a query follows from: its columns too, as it may be told by their places."""
    if query.extra_order_by or not query.standard_ordering or query.group_by is not None:
        return None
    if not query.order_by and query.default_ordering and query.get_meta().ordering:
        return None
    columns = _kind_of_columns(query)
    if columns is None or not _own_columns(query.model).issuperset(query.order_by):
        return None
    return columns, query.order_by


@cache
def _own_columns(model: Any) -> frozenset[str]:
    """The names that order by a column of the model itself, upward and downward."""
    names = [field.name for field in model._meta.concrete_fields if not field.is_relation]
    return frozenset([*names, *(f"-{name}" for name in names)])


def _keep(kept: dict[Any, Any], kind: Any, found: Any) -> None:
    if len(kept) < KINDS_KEPT:
        kept[kind] = found
