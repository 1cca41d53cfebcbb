"""Languages and time zones in which people are spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation


def language_for(*locales: str) -> str:
    """The language for the first of the locales that there is one for, such as ``de`` for ``de-AT``; else English."""
    return next(filter(None, map(_supported, locales)), settings.LANGUAGE_CODE)


def language_of_browser(request: HttpRequest) -> str:
    return translation.get_language_from_request(request)


def zone_for(*names: str) -> tzinfo:
    """The first time zone that is named; UTC if none is, or if it is not known any more."""
    try:
        return ZoneInfo(next(filter(None, names), "UTC"))
    except ZoneInfoNotFoundError:
        return UTC


@contextmanager
def speaking(language: str, zone: tzinfo) -> Iterator[None]:
    """Texts in this language and times in this zone, whatever was spoken before."""
    with translation.override(language), timezone.override(zone):
        yield


def _supported(locale: str) -> str:
    try:
        return translation.get_supported_language_variant(locale.lower()) if locale else ""
    except LookupError:
        return ""
