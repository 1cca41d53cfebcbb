"""What a view demands of whoever calls it. A view that declares nothing does not pass the test suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from apps.core.errors import NotFoundError
from apps.core.http import came_from, is_safe
from apps.tenancy import replicas
from apps.tenancy.context import control

from .decisions import check
from .once import answered_before, answered_once

View = Callable[..., HttpResponseBase]
Finder = Callable[..., Any]


@dataclass(frozen=True)
class Access:
    """A permission, on the one thing that ``finder`` finds if given, or the reason why none is needed.

    ``staff_because`` says what the platform's own staff does there; nobody else may. ``while_read_only`` is for the
    few views that change something even for those who may only read, such as the end of a visit.
    """

    permission: str = ""
    public_because: str = ""
    staff_because: str = ""
    finder: Finder | None = None
    while_read_only: bool = False


def access_of(view: Any) -> Access | None:
    """What a view declares; of an API's view as far as pages have it, too."""
    api = getattr(view, "cls", None)
    if api is None:
        return getattr(view, "access", None)
    return Access(
        public_because=getattr(api, "public_because", ""), while_read_only=getattr(api, "while_read_only", False)
    )


def would_write(request: HttpRequest, view: Any) -> bool:
    """Whether the request must be refused where only reading is allowed."""
    access = access_of(view)
    return not is_safe(request) and not (access and access.while_read_only)


def sign_in_first(request: HttpRequest, login_url: str | None = None) -> HttpResponseBase:
    """To the sign-in page, and from there to what was asked for, or else to the page that it was asked from."""
    if is_safe(request) and not request.headers.get("HX-Request"):
        return redirect_to_login(request.get_full_path(), login_url)
    if not is_safe(request):
        messages.warning(request, _("You were signed out, so nothing was saved. Sign in, then send it again."))
    return redirect_to_login(came_from(request), login_url)


def requires(permission: str, *, on: Finder | None = None) -> Callable[[View], View]:
    """Members with the permission only; others are asked to sign in or told what they lack.

    With ``on`` the view is given the one thing that the finder makes of the subject and the route's arguments.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            subject = request.subject
            if not subject.is_authenticated:
                return sign_in_first(request)
            if on is None:
                check(subject, permission)
                return answered_once(request, lambda: view(request, *args, **kwargs))
            resource = None
            try:
                with replicas.fresh():
                    resource = on(subject, **kwargs)
                    check(subject, permission, resource)
            except (NotFoundError, PermissionDenied):
                # What a form deleted is not found when it is sent again; what it took from its sender is missing.
                before = answered_before(request) if resource is None or subject.owns(resource) else None
                if before is None:
                    raise
                return before
            return answered_once(request, lambda: view(request, resource))

        guarded.access = Access(permission=permission, finder=on)  # type: ignore[attr-defined]
        return guarded

    return decorate


def public(reason: str, *, while_read_only: bool = False) -> Callable[[View], View]:
    """Open to everybody, for the stated reason."""

    def decorate(view: View) -> View:
        @wraps(view)
        def open_view(*args: Any, **kwargs: Any) -> HttpResponseBase:
            return view(*args, **kwargs)

        access = Access(public_because=reason, while_read_only=while_read_only)
        open_view.access = access  # type: ignore[attr-defined]
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
