"""Languages and time zones in which people are spoken to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone, translation

LOCALE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"  # a language, and perhaps script or region (BCP 47)


@dataclass(frozen=True)
class Reader:
    """The language and time zone of somebody who reads a page or a mail."""

    language: str
    zone: tzinfo

    @classmethod
    def of(cls, *choices: tuple[str, str]) -> Reader:
        """From pairs of a locale and a time zone, of which the first that is not empty and known counts."""
        languages = filter(None, (_language(locale) for locale, _ in choices))
        zones = filter(None, (_zone(name) for _, name in choices))
        return cls(next(languages, settings.LANGUAGE_CODE), next(zones, UTC))

    def activate(self) -> None:
        translation.activate(self.language)
        timezone.activate(self.zone)


ANYBODY = Reader("en", UTC)


@contextmanager
def speaking_to(reader: Reader) -> Iterator[None]:
    """Texts in the reader's language and times in their zone, whatever it was before."""
    with translation.override(reader.language), timezone.override(reader.zone):
        yield


def language_of_browser(request: HttpRequest) -> str:
    return translation.get_language_from_request(request)


def _language(locale: str) -> str:
    """The language for a locale, such as ``de`` for ``de-AT``; empty if there is none."""
    try:
        return translation.get_supported_language_variant(locale.lower()) if locale else ""
    except LookupError:
        return ""


def _zone(name: str) -> tzinfo | None:
    """None also for a zone that is not known any more."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
