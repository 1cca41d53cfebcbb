"""What a view demands of whoever calls it. A view that declares nothing does not pass the test suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.tenancy.context import control

from .models import User
from .permissions import allows

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Access:
    """A permission, or the reason why none is needed."""

    permission: str = ""
    public_because: str = ""


def requires(permission: str) -> Callable[[View], View]:
    """Members with the permission only; others are asked to sign in or told what they lack."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            check(user, permission)
            return view(request, *args, **kwargs)

        guarded.access = Access(permission=permission)  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(reason: str) -> Callable[[View], View]:
    """Open to everybody, for the stated reason."""

    def decorate(view: View) -> View:
        @wraps(view)
        def open_view(*args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(*args, **kwargs)

        open_view.access = Access(public_because=reason)  # type: ignore[attr-defined]
        return open_view

    return decorate


def in_control(reason: str) -> Callable[[View], View]:
    """Run a third-party view that deals with people in the control plane.

    The person is looked up before, in the tenant's own context.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            request.user.is_authenticated  # noqa: B018  evaluates the lazy user
            with control(reason):
                response = view(request, *args, **kwargs)
                render = getattr(response, "render", None)
                return render() if callable(render) else response

        return inside

    return decorate


def check(user: Any, permission: str) -> None:
    """Raise PermissionDenied unless the person's role here grants the permission."""
    membership = user.membership if isinstance(user, User) else None
    if membership is None or not allows(membership.role, permission):
        raise PermissionDenied(f"This needs the permission {permission}.")
