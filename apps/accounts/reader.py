"""In which language and time zone a request is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from apps.access.guards import Access
from apps.core.locales import ANYBODY, Reader, language_of_browser, speaking_to
from apps.tenants.models import Profile

from .models import Membership, User

FOR_PROGRAMS_AND_STAFF = ("/api/", "/admin/", "/dev/")


class ReaderMiddleware:
    """A member's own language and zone, else the organization's, else what the browser asks for, in UTC.

    What is for programs and for staff is in English and UTC. Costs no query: the organization is known by now, and
    only views that look the member up anyway have it looked up here.
    """

    def __init__(self, get_response: Callable[[Any], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        is_for_people = not request.path.startswith(FOR_PROGRAMS_AND_STAFF)
        profile = _profile(request)
        follows_browser = is_for_people and profile is None
        reader = Reader.of(_choice(profile)) if is_for_people else ANYBODY
        if follows_browser:
            reader = Reader.of((language_of_browser(request), ""))
        request.LANGUAGE_CODE = reader.language
        with speaking_to(reader):
            response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers["Content-Language"] = request.LANGUAGE_CODE
            if follows_browser:
                patch_vary_headers(response, ["Accept-Language"])
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Turn to the member, where the view is for members."""
        access: Access | None = getattr(view, "access", None)
        if access is None or not access.permission or request.path.startswith(FOR_PROGRAMS_AND_STAFF):
            return
        member = request.user.membership if isinstance(request.user, User) else None
        if member is not None:
            turn_to(request, member, _profile(request))


def turn_to(request: Any, member: Membership | None, profile: Profile | None) -> None:
    """Answer from here on as the member has chosen, or else the organization."""
    reader = Reader.of(_choice(member), _choice(profile))
    request.LANGUAGE_CODE = reader.language
    reader.activate()


def _profile(request: Any) -> Profile | None:
    """What the organization has chosen, if anything; it came with the tenant."""
    return getattr(request.tenant, "profile", None)


def _choice(chooser: Membership | Profile | None) -> tuple[str, str]:
    return (chooser.locale, chooser.time_zone) if chooser else ("", "")
