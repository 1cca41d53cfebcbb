"""How requests go through Django: pages and programs pass different middlewares, and addresses are remembered."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.urls import ResolverMatch, get_resolver, set_urlconf

from apps.core.http import API_PREFIX

ROUTES_KEPT = 2048  # addresses whose views are remembered, in each process


class Request(WSGIRequest):
    """Read as UTF-8, whatever charset its header names: with some that Python knows, such as hex, reading fails."""

    encoding = property(lambda self: None, lambda self, value: None)  # type: ignore[assignment]

    def get_host(self) -> str:
        """Worked out once; half a dozen places ask."""
        return self._host

    @cached_property
    def _host(self) -> str:
        return super().get_host()


class Handler(WSGIHandler):
    """Serves browsers, and whoever else has no credentials but a session."""

    request_class = Request

    def resolve_request(self, request: Any) -> ResolverMatch:
        set_urlconf(request.urlconf)
        request.resolver_match = match = _match(request.urlconf, request.path_info)
        return match


class ForPrograms:
    """A handler past what only browsers need: there is no session. Made while there is one thread."""

    def load_middleware(self, is_async: bool = False) -> None:
        every = settings.MIDDLEWARE
        settings.MIDDLEWARE = [name for name in every if name not in settings.FOR_BROWSERS]
        try:
            super().load_middleware(is_async)  # type: ignore[misc]
        finally:
            settings.MIDDLEWARE = every


class ProgramHandler(ForPrograms, Handler):
    """Serves the API to whoever has credentials of their own."""


class Application:
    """The WSGI application."""

    def __init__(self) -> None:
        self._browsers, self._programs = Handler(), ProgramHandler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        is_program = environ.get("HTTP_AUTHORIZATION") and environ["PATH_INFO"].startswith(API_PREFIX)
        return (self._programs if is_program else self._browsers)(environ, start_response)


@lru_cache(maxsize=ROUTES_KEPT)
def _match(urlconf: str, path: str) -> ResolverMatch:
    return get_resolver(urlconf).resolve(path)  # an address that leads nowhere raises, and is not kept
