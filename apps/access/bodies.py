"""How long the bodies are that requests may have, by route and by whether anybody is signed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import resolve

from apps.core.bodies import question_of
from apps.core.parsers import ContentTooLarge
from apps.core.problems import error_response

View = Callable[..., HttpResponseBase]
Limit = Callable[[], int]
"""In bytes; asked for each request."""


class BodyMiddleware:
    """Answers the web server whether a body may come that is longer than what anybody may send.

    To those who are signed in only: for everybody else what the server reads unasked is enough.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        question = question_of(request)
        if question is None:
            return self.get_response(request)
        limit = limit_of(resolve(request.path_info, request.urlconf).func)
        if not request.subject.is_authenticated or (question.announced or 0) > limit:
            return error_response(request, 413, ContentTooLarge.default_code, str(ContentTooLarge.default_detail))
        question.limit = limit
        return HttpResponse(status=100)


def bodies_up_to(limit: Limit) -> Callable[[View], View]:
    """Let a page receive bodies up to this length; an API's view says it as ``body_limit``."""

    def decorate(view: View) -> View:
        view.body_limit = limit  # type: ignore[attr-defined]
        return view

    return decorate


def limit_of(view: Any) -> int:
    """In bytes, of the whole body."""
    limit: Limit | None = getattr(getattr(view, "cls", view), "body_limit", None)
    return limit() if limit else int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
