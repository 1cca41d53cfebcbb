"""Where to report a weakness: /.well-known/security.txt (RFC 9116), on every host.

Knows no settings when they are loaded, which parse SECURITY_CONTACT with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

PATH = "/.well-known/security.txt"
PLAIN = "text/plain; charset=utf-8"
VALID_FOR = timedelta(days=90)  # what somebody has kept is not to be trusted for long
CONTACT = re.compile(r"(?:mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\+?[\d-]+)", re.ASCII)


class SecurityTxtMiddleware:
    """Answers on every host name, whether an organization is there or not; nothing where no contact is set."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info != PATH or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        if not settings.SECURITY_CONTACT:
            return HttpResponse(status=404, content_type=PLAIN)
        return HttpResponse(_text(settings.SECURITY_CONTACT), content_type=PLAIN)


def parse_contacts(values: Iterable[str]) -> list[str]:
    """Addresses as URIs, the preferred one first; a mail address may come without its scheme. Raises ValueError."""
    stripped = [value.strip() for value in values]
    contacts = [f"mailto:{value}" if "@" in value and ":" not in value else value for value in stripped if value]
    if not all(CONTACT.fullmatch(contact) for contact in contacts):
        raise ValueError("SECURITY_CONTACT must be mail addresses or mailto:, https: or tel: URIs, comma-separated")
    return contacts


def _text(contacts: Iterable[str]) -> str:
    expires = (timezone.now() + VALID_FOR).astimezone(UTC).replace(microsecond=0)
    lines = [f"Contact: {contact}" for contact in contacts]
    lines += [f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}", f"Preferred-Languages: {_languages()}"]
    return "".join(f"{line}\n" for line in lines)


def _languages() -> str:
    return ", ".join(code for code, _ in settings.LANGUAGES)
