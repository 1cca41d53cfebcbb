"""Static files, answered without a thread: by those of Django's middlewares that a file passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware

from apps.core.middleware import RequestLogMiddleware, SecurityHeadersMiddleware
from apps.core.static_files import StaticFilesMiddleware

from .limits import MEMORY
from .messages import Answer, Environ, with_body

PASSED = (SecurityMiddleware, RequestLogMiddleware, SecurityHeadersMiddleware)


class StaticFiles:
    """The files that WhiteNoise found when the process started."""

    def __init__(self) -> None:
        handler: Any = StaticFilesMiddleware(_no_file)
        self._paths = frozenset(handler.files)
        for middleware in reversed(PASSED):
            handler = middleware(handler)
        self._handler = handler

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def answer(self, environ: Environ) -> Answer:
        response = self._handler(WSGIRequest(with_body(environ, b"")))
        headers = [(name.lower(), value) for name, value in response.items()]
        return Answer(response.status_code, headers, _content_of(response))


def _content_of(response: Any) -> bytes | Path:
    file = getattr(response, "file_to_stream", None)
    if file is None:
        return b"".join(response)
    with file:
        return Path(file.name) if int(response.headers["Content-Length"]) > MEMORY else bytes(file.read())


def _no_file(request: HttpRequest) -> HttpResponseBase:
    raise Http404
