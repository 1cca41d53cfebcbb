"""Absolute links, built from stored host names and settings, never from a request's headers."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings


def authority(host: str) -> str:
    """The host, with its port where links need one."""
    return f"{host}:{settings.PUBLIC_PORT}" if settings.PUBLIC_PORT not in ("", "80", "443") else host


def link(host: str, path: str = "/", **query: str) -> str:
    suffix = f"?{urlencode(query)}" if query else ""
    return f"{settings.PUBLIC_SCHEME}://{authority(host)}{path}{suffix}"


def apex_link(path: str = "/") -> str:
    return link(settings.BASE_DOMAIN, path)
