"""Light, dark, or as the system has it, kept in a cookie so that it holds from the first byte of a page."""

from __future__ import annotations

from django.http import HttpRequest

THEME_COOKIE = "theme"
THEMES = ("light", "dark")
THEME_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """The theme somebody chose; empty for the system's."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""
