"""Absolute links, built from stored host names and settings, never from a request's headers."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings


def link(host: str, path: str = "/", **query: str) -> str:
    port = f":{settings.PUBLIC_PORT}" if settings.PUBLIC_PORT not in ("", "80", "443") else ""
    suffix = f"?{urlencode(query)}" if query else ""
    return f"{settings.PUBLIC_SCHEME}://{host}{port}{path}{suffix}"


def apex_link(path: str = "/") -> str:
    return link(settings.BASE_DOMAIN, path)
