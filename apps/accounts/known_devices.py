"""Browsers and programs in which a person has proven who they are: what strangers try is not held against them.

A signed cookie names the device and whoever was proven in it, so recognizing one asks no store that may be away. It
opens nothing; with a new password all that were known are strangers again.
"""

from __future__ import annotations

import secrets
from typing import TypeVar

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from apps.access.services import attempts
from apps.core.addresses import normalized_email
from apps.core.clocks import signed_within

from .models import User
from .selectors import person_of_address

SALT = "accounts.known_device"
SECONDS = 180 * 24 * 3600
PEOPLE_KEPT = 5  # of those who share a browser

Answer = TypeVar("Answer", bound=HttpResponseBase)


def count_attempt(request: HttpRequest, action: str, address: str) -> None:
    """Count what somebody tries who says that they are the person of this address, however it is written.

    Raises TooManyAttempts.
    """
    address = normalized_email(address)
    attempts.count_attempt(request, action, address, device=_known_to(request, address))


def remember(request: HttpRequest, response: Answer, person: User) -> Answer:
    """The response to a person who has just proven who they are, with what their device is known by."""
    device, people = _read(request)
    mark = _mark(person)
    kept = [mark, *(known for known in people if known != mark)][:PEOPLE_KEPT]
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps([device or secrets.token_urlsafe(12), kept], salt=SALT),
        max_age=SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response


def _known_to(request: HttpRequest, address: str) -> str:
    """What the device is counted as where it is known to be this person's; empty for a stranger."""
    device, people = _read(request)
    person = person_of_address(address) if people else None
    mark = _mark(person) if person else ""
    return f"{device} {mark}" if mark in people else ""


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    try:
        cookie = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
        device, people = signed_within(cookie, salt=SALT, seconds=SECONDS)
    except signing.BadSignature:
        return "", []
    return device, people


def _mark(person: User) -> str:
    return salted_hmac(SALT, f"{person.pk} {person.password}", algorithm="sha256").hexdigest()[:32]
