"""What requests have in common, whoever answers them."""

from __future__ import annotations

from django.http import HttpRequest

from .text import without_nul

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
API_PREFIX = "/api/"
LONGEST_SEARCH = 200


def is_safe(request: HttpRequest) -> bool:
    return request.method in SAFE_METHODS


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


def searched(request: HttpRequest, name: str = "q") -> str:
    """What somebody typed into the search field of this name."""
    return without_nul(request.GET.get(name, "")).strip()[:LONGEST_SEARCH]
