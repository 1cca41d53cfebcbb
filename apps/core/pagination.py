"""Pages that stay in step while rows come and go."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

from django.core.exceptions import ImproperlyConfigured
from django.core.exceptions import ValidationError as InvalidValue
from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response


class CursorPages(CursorPagination):
    """Pages by a stable cursor; ``page_size`` up to 100, ``ordering`` one of those that the view's ``query`` has.

    The links stand in the body and in the Link header (RFC 8288).
    """

    ordering = ("-created_at", "-id")
    page_size_query_param = "page_size"
    max_page_size = 100

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any] | None:
        self.model = queryset.model
        self._check_page_size(request)
        column = self.position_field(request, view)
        if self.model._meta.get_field(column).null:
            raise ImproperlyConfigured(f"{column} may be empty, and a cursor would lose the rows where it is.")
        return super().paginate_queryset(queryset, request, view)

    def position_field(self, request: Any, view: Any) -> str:
        """The column that a page's position is made of."""
        return self.get_ordering(request, None, view)[0].lstrip("-")

    def get_ordering(self, request: Any, queryset: Any, view: Any) -> tuple[str, ...]:
        orderings: tuple[str, ...] = view.query.orderings
        wanted: str = request.query_params.get("ordering", orderings[0])
        if wanted not in orderings:
            raise ValidationError({"ordering": f"One of {', '.join(orderings)}."})
        return wanted, "-id" if wanted.startswith("-") else "id"

    def decode_cursor(self, request: Any) -> Any:
        """The position of a page. Raises NotFound for one that no page has."""
        encoded = request.query_params.get(self.cursor_query_param)
        if encoded is not None and not _is_cursor(encoded):
            raise NotFound(self.invalid_cursor_message)
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not self._is_position(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        following, previous = self.get_next_link(), self.get_previous_link()
        response = Response({"next": following, "previous": previous, "results": data})
        links = (following, "next"), (previous, "prev")
        header = ", ".join(f'<{address}>; rel="{relation}"' for address, relation in links if address)
        if header:
            response["Link"] = header
        return response

    def _is_position(self, text: str) -> bool:
        field: models.Field[Any, Any] = self.model._meta.get_field(self.ordering[0].lstrip("-"))
        if isinstance(field, models.DateTimeField):
            return _is_moment(text)
        try:
            field.to_python(text)
        except (InvalidValue, ValueError, OverflowError):
            return False
        return "\x00" not in text

    def _check_page_size(self, request: Any) -> None:
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is not None and not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:4]) <= 100):
            raise ValidationError({"page_size": "A number from 1 to 100."})


def _is_cursor(encoded: str) -> bool:
    """Whether it is written as cursors are; REST framework takes whatever it cannot read for the first page."""
    try:
        members = parse_qs(b64decode(encoded, validate=True).decode("ascii"), strict_parsing=True)
    except ValueError:
        return False
    return bool(members) and members.keys() <= {"o", "r", "p"}


def _is_moment(text: str) -> bool:
    """Whether a text is a time in UTC, as positions are; there are offsets that only Python can read."""
    try:
        moment = parse_datetime(text)
    except (ValueError, OverflowError):
        return False
    return moment is not None and is_aware(moment) and not moment.utcoffset()
