from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from .models import User


def member(request: HttpRequest) -> dict[str, Any]:
    """The organization, the signed-in person and what they may do, for templates."""
    user = getattr(request, "user", None)
    membership = user.membership if isinstance(user, User) else None
    return {
        "tenant": getattr(request, "tenant", None),
        "member": membership,
        "may": membership.permissions if membership else frozenset(),
    }
