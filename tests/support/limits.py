"""Limits of attempts as tests set them."""

from __future__ import annotations

from typing import Any

from config import settings as configuration


def allow(settings: Any, action: str, *, seconds: int = 300, **counted: int) -> None:
    """So many of what is named, and of nothing else."""
    shipped = getattr(settings, "ATTEMPT_LIMITS", configuration.ATTEMPT_LIMITS)
    settings.ATTEMPT_LIMITS = {**shipped, action: {**counted, "seconds": seconds}}
