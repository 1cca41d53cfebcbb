"""What requests have in common, whoever answers them."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from .text import without_nul

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, section 9.2.1
API_METHODS = ["get", "head", "post", "put", "patch", "delete"]  # the schema describes the API, OPTIONS does not
API_PREFIX = "/api/"
LONGEST_SEARCH = 200


def is_safe(request: HttpRequest) -> bool:
    return request.method in SAFE_METHODS


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PREFIX)


def came_from(request: HttpRequest) -> str:
    """The page of ours that somebody was on when they sent the request; the front page where that is not known."""
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "/"
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}):
        return "/"
    parts = urlsplit(page)
    return urlunsplit(("", "", parts.path or "/", parts.query, ""))


def searched(request: HttpRequest, name: str = "q") -> str:
    """What somebody typed into the search field of this name."""
    return without_nul(request.GET.get(name, "")).strip()[:LONGEST_SEARCH]
