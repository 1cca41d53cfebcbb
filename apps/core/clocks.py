"""What one machine issues another checks, by a clock of its own: CLOCK_LEEWAY_SECONDS is how far they may be apart.

Every check of a time that another machine may have set asks here, or gives ``leeway()`` to the library that checks.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.utils import timezone


def leeway() -> timedelta:
    return timedelta(seconds=settings.CLOCK_LEEWAY_SECONDS)


def over() -> datetime:
    """What ended before this moment is over by every machine's clock."""
    return timezone.now() - leeway()


def begun() -> datetime:
    """What begins after this moment has not begun by any machine's clock."""
    return timezone.now() + leeway()


def signed_within(text: str, *, salt: str, seconds: int) -> Any:
    """What was signed not longer ago than that. Raises BadSignature."""
    return signing.loads(text, salt=salt, max_age=timedelta(seconds=seconds) + leeway())
