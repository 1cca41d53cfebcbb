"""What may be asked of a list: declared once, it validates, filters, orders and documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

Rows = QuerySet[Any]


@dataclass(frozen=True)
class Filter:
    """A parameter that narrows a list: ``by`` is the lookup of a queryset, or what makes fewer rows of rows.

    The field says what may be asked for, and its ``help_text`` what that means.
    """

    field: serializers.Field[Any, Any, Any, Any]
    by: str | Callable[[Rows, Any], Rows]

    def applied(self, rows: Rows, value: Any) -> Rows:
        return self.by(rows, value) if callable(self.by) else rows.filter(**{self.by: value})


@dataclass(frozen=True)
class ListQuery:
    """The filters and orderings of one list; the first ordering holds where none is asked for.

    An ordering is a column, with a minus for downward; rows that are the same in it come in the order of their ids.
    """

    filters: Mapping[str, Filter] = field(default_factory=dict)
    orderings: tuple[str, ...] = ("-created_at",)

    def applied(self, rows: Rows, asked: Mapping[str, Any]) -> Rows:
        """The rows that are asked for, not yet in order. Raises ValidationError that names the parameters."""
        if not asked.keys() & self.filters.keys():
            return rows
        serializer = self.serializer_class(data={name: asked[name] for name in self.filters if name in asked})
        serializer.is_valid(raise_exception=True)
        for name, wanted in self.filters.items():
            value = serializer.validated_data.get(name)
            if value not in (None, ""):
                rows = wanted.applied(rows, value)
        return rows

    @cached_property
    def parameters(self) -> type[serializers.Serializer[Any]]:
        """All that a list's address may say, that of its pages included; the paginator reads those."""
        paging = {name: serializers.CharField() for name in ("cursor", "page_size", "ordering")}
        return type("ParametersSerializer", (self.serializer_class,), paging)

    @cached_property
    def serializer_class(self) -> type[serializers.Serializer[Any]]:
        """What a request may ask, for validation and for the API's description."""
        fields: dict[str, Any] = {name: one.field for name, one in self.filters.items()}
        if len(self.orderings) > 1:
            fields["ordering"] = serializers.ChoiceField(choices=self.orderings, required=False)
        return type("AskedSerializer", (serializers.Serializer,), fields)
