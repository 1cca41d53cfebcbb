"""The routes of a URL configuration, as the resolver has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, get_resolver


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
