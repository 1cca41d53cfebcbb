from __future__ import annotations

from celery import shared_task

from .services import clear_expired_codes
from .sessions import SessionStore


@shared_task(control_reason="clear what has expired")
def clear_expired() -> None:
    """Remove sessions and hand-off codes that are of no use any more; runs every hour."""
    SessionStore.clear_expired()
    clear_expired_codes()
