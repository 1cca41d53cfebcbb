"""In which language and time zone a request is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from apps.core.locales import language_for, language_of_browser, speaking, zone_for
from apps.tenants.models import Profile

from .access import Access
from .models import User

View = Callable[[Any], HttpResponseBase]
FOR_PROGRAMS_AND_STAFF = ("/api/", "/admin/", "/dev/")


class ReaderMiddleware:
    """A member's own language and zone, else the organization's, else what the browser asks for, in UTC.

    What is for programs and staff is in English and UTC. Costs no query: the organization is known by now, and
    only views that look the member up anyway have it looked up here.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        if request.path.startswith(FOR_PROGRAMS_AND_STAFF):
            request.LANGUAGE_CODE = language_for()
            with speaking(request.LANGUAGE_CODE, zone_for()):
                return self.get_response(request)
        profile = _profile(request)
        browser = "" if profile else language_of_browser(request)
        request.LANGUAGE_CODE = browser or language_for(profile.locale if profile else "")
        with speaking(request.LANGUAGE_CODE, zone_for(profile.time_zone if profile else "")):
            response = self.get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers["Content-Language"] = request.LANGUAGE_CODE
            if browser:
                patch_vary_headers(response, ["Accept-Language"])
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Turn to the member, where the view is for members."""
        access: Access | None = getattr(view, "access", None)
        if access is None or not access.permission or request.path.startswith(FOR_PROGRAMS_AND_STAFF):
            return
        member = request.user.membership if isinstance(request.user, User) else None
        if member is not None:
            profile = _profile(request)
            request.LANGUAGE_CODE = language_for(member.locale, profile.locale if profile else "")
            translation.activate(request.LANGUAGE_CODE)
            timezone.activate(zone_for(member.time_zone, profile.time_zone if profile else ""))


def _profile(request: Any) -> Profile | None:
    """What the organization has chosen, if anything; it came with the tenant."""
    return getattr(request.tenant, "profile", None)
