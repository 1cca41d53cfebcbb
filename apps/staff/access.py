"""Who may come in where the platform is run, and under which rules the pages there are shown."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from apps.access.guards import Access, View, in_control, public, sign_in_first
from apps.access.once import once
from apps.accounts.models import User
from apps.core.middleware import content_security_policy

# Alpine.js makes functions of the expressions in attributes, and writes style attributes. Nothing comes from elsewhere.
EXCEPTIONS = "script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"
POLICY = content_security_policy(exceptions=EXCEPTIONS)


def is_staff(request: HttpRequest) -> bool:
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_staff


def is_superuser(request: HttpRequest) -> bool:
    user = request.user
    return is_staff(request) and isinstance(user, User) and user.is_superuser


def staff_only(view: View) -> View:
    """Shown to staff, in the control plane; others are asked to sign in. A form that is sent twice counts once."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_staff(request):
            return sign_in_first(request, reverse("admin:login"))
        return _shown(once(view), request, *args, **kwargs)

    guarded.access = Access(staff_because="staff runs the platform here")  # type: ignore[attr-defined]
    return guarded


def signing_in(view: View) -> View:
    """Shown to anybody, in the control plane."""

    @public("staff sign in here")
    @wraps(view)
    def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _shown(view, request, *args, **kwargs)

    return opened


def _shown(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
    name = getattr(view, "__name__", type(view).__name__)
    response = in_control(f"staff {name}")(view)(request, *args, **kwargs)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    return response
