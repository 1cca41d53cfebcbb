"""Where what a request does is ascribed to."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.network import client_ip
from apps.core.text import without_nul

from .actors import Origin, acting_from


class OriginMiddleware:
    """Ascribes what the request records to its network address and program."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        source = Origin(ip=client_ip(request), user_agent=without_nul(request.headers.get("User-Agent", "")))
        structlog.contextvars.bind_contextvars(ip=source.ip, user_agent=source.user_agent)
        with acting_from(source):
            return self.get_response(request)
