from __future__ import annotations

from collections.abc import Callable

import structlog
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class MemberLogMiddleware:
    """Names the signed-in person in every log line of the request, without asking the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user_id = request.session.get(SESSION_KEY)
        if user_id:
            structlog.contextvars.bind_contextvars(user_id=user_id)
        return self.get_response(request)
