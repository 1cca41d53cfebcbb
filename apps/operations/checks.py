"""A server whose settings do not suit what is on it is warned of, with the number to set."""

from __future__ import annotations

from typing import Any

from django.core import checks
from django.db import DatabaseError

from apps.tenancy.context import CONTROL_ALIAS

from . import measuring
from .capacity import small_settings


@checks.register(checks.Tags.database)
def check_server_settings(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Asked for with ``check --database default``, and after each migration."""
    if CONTROL_ALIAS not in (databases or []):
        return []
    try:
        found = small_settings(measuring.server())
    except DatabaseError:  # not set up yet, or away: others tell of that
        return []
    return [checks.Warning(f"{setting}.", id="operations.W001") for setting in found]
