from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from apps.access.guards import subject_of

from .models import User


def member(request: HttpRequest) -> dict[str, Any]:
    """The organization, the signed-in person or the visit, and what they may do, for templates."""
    user = getattr(request, "user", None)
    membership = user.membership if isinstance(user, User) else None
    subject = subject_of(request) if user is not None else None
    return {
        "tenant": getattr(request, "tenant", None),
        "member": membership,
        "visit": getattr(request, "visit", None),
        "may": subject.permissions if subject else frozenset(),
    }
