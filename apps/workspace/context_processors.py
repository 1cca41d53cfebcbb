from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.accounts.models import User

from .navigation import ACCOUNT, MAIN, entries
from .theme import THEME_COOKIE, THEMES


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """The theme somebody chose, and where a member can go."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    around: dict[str, Any] = {"theme": chosen if chosen in THEMES else ""}
    user = getattr(request, "user", None)
    membership = user.membership if isinstance(user, User) else None
    if membership is not None and getattr(request, "tenant", None) is not None:
        may = membership.permissions
        around["navigation"] = entries(MAIN, may, request.path)
        around["account_navigation"] = entries(ACCOUNT, may, request.path)
    return around
