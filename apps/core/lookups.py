"""Finding one row by one value, without making the SQL anew each time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connections, models
from django.db.models import query

populators: Any = query.get_related_populators
Row = TypeVar("Row", bound=models.Model)


class LookUp(Generic[Row]):
    """The row that a queryset finds for a value, and what it selects along with it.

    Making the SQL takes longer than all the rest, and only the value differs: so it is made once. The statement runs
    in the context of whoever calls, as any other does. The queryset must have the value as its only parameter.
    """

    def __init__(self, queryset_for: Callable[[Any], models.QuerySet[Row]], example: Any) -> None:
        self._queryset_for = queryset_for
        self._example = example

    def __call__(self, value: Any) -> Row | None:
        sql, make = self._compiled
        with connections[self._alias].cursor() as cursor:
            cursor.execute(sql, [value])
            row = cursor.fetchone()
        return None if row is None else make(row)

    @cached_property
    def _alias(self) -> str:
        return self._queryset_for(self._example).db

    @cached_property
    def _compiled(self) -> tuple[str, Callable[[tuple[Any, ...]], Row]]:
        """The SQL, and what makes an instance of a row as Django's own iteration does."""
        compiler: Any = self._queryset_for(self._example).order_by().query.get_compiler(self._alias)
        sql, parameters = compiler.as_sql()
        if len(parameters) != 1:
            raise TypeError("A look-up has one parameter.")
        alias, selected = self._alias, compiler.klass_info
        converters = compiler.get_converters([column[0] for column in compiler.select])
        first, last = selected["select_fields"][0], selected["select_fields"][-1] + 1
        names = [column[0].target.attname for column in compiler.select[first:last]]
        along = populators(selected, compiler.select, alias)

        def make(row: tuple[Any, ...]) -> Row:
            (converted,) = compiler.apply_converters([row], converters) if converters else [row]
            found: Row = selected["model"].from_db(alias, names, converted[first:last])
            for populator in along:
                populator.populate(converted, found)
            return found

        return sql, make
