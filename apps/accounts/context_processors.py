from __future__ import annotations

from typing import Any

from apps.access.subjects import ANONYMOUS

from .models import User


def member(request: Any) -> dict[str, Any]:
    """The organization, the signed-in person or the visit, and what they may do, for templates."""
    user = getattr(request, "user", None)
    return {
        "tenant": getattr(request, "tenant", None),
        "member": user.membership if isinstance(user, User) else None,
        "visit": getattr(request, "visit", None),
        "may": getattr(request, "subject", ANONYMOUS).permissions,
    }
