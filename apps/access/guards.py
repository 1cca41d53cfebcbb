"""What a view demands of whoever calls it. A view that declares nothing does not pass the test suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.accounts import subjects
from apps.accounts.models import User
from apps.tenancy import replicas
from apps.tenancy.context import control

from .decisions import check
from .subjects import Subject

View = Callable[..., HttpResponseBase]
Finder = Callable[..., Any]


@dataclass(frozen=True)
class Access:
    """A permission, on the one thing that ``finder`` finds if given, or the reason why none is needed.

    ``staff_because`` says what the platform's own staff does there; nobody else may.
    """

    permission: str = ""
    public_because: str = ""
    staff_because: str = ""
    finder: Finder | None = None


def subject_of(request: Any) -> Subject | None:
    """The bearer of a token, staff on a visit, or the signed-in member."""
    if getattr(request, "subject", None) is not None:
        subject: Subject = request.subject
        return subject
    if getattr(request, "visit", None) is not None:
        return subjects.of_visit(request.visit)
    user = request.user
    if isinstance(user, User) and user.membership is not None:
        return subjects.of_membership(user.membership)
    return None


def caller(request: Any) -> Subject:
    """Who asks, for views that only members and visitors reach."""
    subject: Any = subject_of(request)
    return subject


def requires(permission: str, *, on: Finder | None = None) -> Callable[[View], View]:
    """Members with the permission only; others are asked to sign in or told what they lack.

    With ``on`` the view is given the one thing that the finder makes of the subject and the route's arguments.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            subject = subject_of(request)
            if subject is None:
                return redirect_to_login(request.get_full_path())
            if on is None:
                check(subject, permission)
                return view(request, *args, **kwargs)
            with replicas.fresh():
                resource = on(subject, **kwargs)
                check(subject, permission, resource)
            return view(request, resource)

        guarded.access = Access(permission=permission, finder=on)  # type: ignore[attr-defined]
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
