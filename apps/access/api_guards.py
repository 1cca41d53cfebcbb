"""What the API demands of whoever calls it: the other side of ``guards``."""

from __future__ import annotations

from typing import Any

from rest_framework import authentication, permissions
from rest_framework.request import Request

from .decisions import authorize
from .subjects import Subject


class TokenAuthentication(authentication.BaseAuthentication):
    """The bearer of a token or key, as the middleware found it."""

    def authenticate(self, request: Request) -> tuple[Subject, None] | None:
        subject: Subject = request._request.subject  # type: ignore[attr-defined]
        return (subject, None) if subject.is_bearer else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"  # answers 401 rather than 403 to the anonymous


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser; unsafe methods need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Subject, None] | None:  # type: ignore[override]
        if super().authenticate(request) is None:
            return None
        subject: Subject = request._request.subject  # type: ignore[attr-defined]
        return (subject, None) if subject.is_authenticated else None


class DeclaredPermission(permissions.BasePermission):
    """Every view declares ``permissions_by_method`` or ``public_because``; what is not declared is denied.

    About a view with a ``finder`` it is decided once the one thing is found, and before the view sees it.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if getattr(view, "public_because", ""):
            return True
        if request.method not in view.allowed_methods:
            return True  # the answer is 405, whoever asks
        required = getattr(view, "permissions_by_method", {}).get(request.method)
        subject: Any = request.user
        if required is None or not isinstance(subject, Subject):
            return False
        return view.finder is not None or self._allows(subject, required)

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        subject: Any = request.user
        return self._allows(subject, view.permissions_by_method[request.method], obj)

    def _allows(self, subject: Subject, permission: str, resource: Any = None) -> bool:
        decision = authorize(subject, permission, resource)
        self.message = decision.why
        return bool(decision)
