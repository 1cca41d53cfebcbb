"""The pages from which the platform is run: Django's admin in Unfold's clothes, with our rules."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from unfold.sites import UnfoldAdminSite

from apps.access.services.attempts import SIGN_IN
from apps.accounts.known_devices import count_attempt, remember

from . import services
from .access import is_staff, is_superuser, signing_in, staff_only
from .dashboard import dashboard

# Passwords are set at the command line; nothing refers to models by generic keys or needs a lookup while typing.
LEFT_OUT = {"password_change", "password_change_done", "autocomplete", "view_on_site"}


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]
    index_template = "staff/dashboard.html"
    index_title = "Dashboard"

    def has_permission(self, request: HttpRequest) -> bool:
        return is_staff(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        kept = [pattern for pattern in super().get_urls() if getattr(pattern, "name", None) not in LEFT_OUT]
        for pattern in kept:
            _guard(pattern)
        return kept

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        figures = dashboard(with_organizations=is_superuser(request))
        response: HttpResponse = super().index(request, {**(extra_context or {}), **figures})
        return response

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            count_attempt(request, SIGN_IN, request.POST.get("username", ""))
        before = _person(request)
        response: HttpResponse = super().login(request, extra_context)
        if request.method == "POST" and response.status_code == 302:
            request.session.set_expiry(settings.STAFF_SESSION_SECONDS)
            if before.is_authenticated and before != request.user:
                services.note_sign_out(before)
            services.note_sign_in(_person(request))
            remember(request, response, _person(request))
        return response

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        person = _person(request)
        response: HttpResponse = super().logout(request, extra_context)
        if not is_staff(request):
            services.note_sign_out(person)
        return response


def _person(request: HttpRequest) -> Any:
    """The person behind the lazy user, who stays when the session goes."""
    return getattr(request.user, "_wrapped", request.user)


def _guard(pattern: URLPattern | URLResolver) -> None:
    """Put the view, or all of a model's, behind the rules for staff."""
    if isinstance(pattern, URLResolver):
        for inner in pattern.url_patterns:
            _guard(inner)
    else:
        decorate = signing_in if pattern.name == "login" else staff_only
        pattern.callback = decorate(pattern.callback)


site = StaffSite(name="admin")
