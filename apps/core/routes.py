"""The routes of a URL configuration, as the resolver has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import getclosurevars, isfunction
from typing import Any

from django.urls import URLPattern, get_resolver

PAGE_METHODS = ("GET", "HEAD", "POST")


def named_routes(urlconf: str) -> Iterator[tuple[str, URLPattern]]:
    """Every route with its name, namespaces in front."""

    def walk(patterns: Any, namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name}", pattern
            else:
                prefix = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern.url_patterns, prefix)

    return walk(get_resolver(urlconf).url_patterns, "")


def methods_of(page: Any) -> Sequence[str]:
    """Those that its ``require_http_methods`` lets through, which keeps them to itself; else those that pages know."""
    while isfunction(page):
        allowed: Sequence[str] = getclosurevars(page).nonlocals.get("request_method_list", ())
        if allowed:
            return allowed
        page = getattr(page, "__wrapped__", None)
    return PAGE_METHODS
