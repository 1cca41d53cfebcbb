"""In which language and time zone a request is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from apps.core.locales import ANYBODY, Reader, language_of_browser, speaking_to

from .access import Access
from .models import User

FOR_PROGRAMS_AND_STAFF = ("/api/", "/admin/", "/dev/")
Choice = tuple[str, str]


class ReaderMiddleware:
    """A member's own language and zone, else the organization's, else what the browser asks for, in UTC.

    What is for programs and for staff is in English and UTC. Costs no query: the organization is known by now, and
    only views that look the member up anyway have it looked up here.
    """

    def __init__(self, get_response: Callable[[Any], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        follows_browser = False
        reader = ANYBODY
        if not request.path.startswith(FOR_PROGRAMS_AND_STAFF):
            follows_browser = _organization(request) is None
            reader = Reader.of(_organization(request) or (language_of_browser(request), ""))
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
            reader = Reader.of((member.locale, member.time_zone), _organization(request) or ("", ""))
            request.LANGUAGE_CODE = reader.language
            reader.activate()


def _organization(request: Any) -> Choice | None:
    """What the organization has chosen, if anything; it came with the tenant."""
    profile = getattr(request.tenant, "profile", None)
    return (profile.locale, profile.time_zone) if profile else None
