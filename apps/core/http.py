"""What requests have in common, whoever answers them."""

from __future__ import annotations

from django.http import HttpRequest

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
API_PREFIX = "/api/"


def is_safe(request: HttpRequest) -> bool:
    return request.method in SAFE_METHODS


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)
