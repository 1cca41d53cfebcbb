from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.accounts.models import User
from apps.core.theme import theme_of

from .navigation import ACCOUNT, MAIN, entries


def surroundings(request: HttpRequest) -> dict[str, Any]:
    """The theme somebody chose, and where a member can go."""
    around: dict[str, Any] = {"theme": theme_of(request)}
    user = getattr(request, "user", None)
    membership = user.membership if isinstance(user, User) else None
    if membership is not None and getattr(request, "tenant", None) is not None:
        may = membership.permissions
        around["navigation"] = entries(MAIN, may, request.path)
        around["account_navigation"] = entries(ACCOUNT, may, request.path)
    return around
