"""The API's side of ``access``."""

from __future__ import annotations

from typing import Any

from rest_framework import authentication, permissions
from rest_framework.request import Request

from .models import User
from .permissions import allows


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in browser; unsafe methods need the CSRF token."""

    def authenticate_header(self, request: Request) -> str:
        return "Session"  # answers 401 rather than 403 to the anonymous


class DeclaredPermission(permissions.BasePermission):
    """Every view declares ``permissions_by_method`` or ``public_because``; what is not declared is denied."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if getattr(view, "public_because", ""):
            return True
        if request.method not in view.allowed_methods:
            return True  # the answer is 405, whoever asks
        required = getattr(view, "permissions_by_method", {}).get(request.method)
        user: Any = request.user
        if required is None or not isinstance(user, User) or user.membership is None:
            return False
        self.message = f"This needs the permission {required}."
        return allows(user.membership.role, required)
