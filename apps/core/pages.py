"""Lists of rows on numbered pages."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest

PER_PAGE = 25


def page_of(request: HttpRequest, rows: Any) -> Page[Any]:
    """The page of rows that the address names; the first or the last one where it names none there is."""
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
