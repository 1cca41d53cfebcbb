"""One-use codes with which the apex hands somebody over to an organization's own host; only digests are kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings

from apps.core import clocks


def new_code() -> str:
    return secrets.token_urlsafe(32)


def digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def lifetime() -> timedelta:
    return timedelta(seconds=settings.HANDOFF_SECONDS)


def oldest_valid() -> datetime:
    """When a code that still works was issued at the earliest."""
    return clocks.over() - lifetime()
