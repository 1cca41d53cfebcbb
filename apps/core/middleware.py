"""Security headers, and broken rules as answers rather than crashes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django_structlog.middlewares import RequestMiddleware

from .errors import DomainError
from .problems import AWAY, away, domain_error_response, method_not_allowed


def content_security_policy(*, form_targets: str = "", exceptions: str = "") -> str:
    """The policy of a page; ``form_targets`` are origins that its forms may be redirected to.

    ``exceptions`` are directives in which it is looser than all others.
    """
    policy = (
        "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; "
        f"form-action 'self' {form_targets}"
    ).strip()
    return f"{policy}; {exceptions}" if exceptions else policy


class RequestLogMiddleware(RequestMiddleware):  # type: ignore[misc]
    """Logs a request by method and path; its query may hold a one-use code or a signature."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"


class CompressionMiddleware(GZipMiddleware):
    """Compresses answers, padded at random, so that lengths tell nothing about secrets.

    What has an ETag stays as it is: compressed it would be another representation, with a tag that is weak, and a
    weak tag never satisfies If-Match (RFC 9110, 8.8.1 and 13.1.1).
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if "ETag" in response else super().process_response(request, response)


class SecurityHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", content_security_policy())
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class HtmxRedirectMiddleware:
    """Tells htmx to go where a form's answer leads, instead of showing that page inside the one there is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        htmx: Any = getattr(request, "htmx", None)
        if htmx and response.status_code in (301, 302, 303) and "Location" in response:
            answer = HttpResponse(status=204, headers={"HX-Redirect": response["Location"]})
            answer.cookies = response.cookies
            return answer
        return response


class MethodNotAllowedMiddleware:
    """Has views that refuse a method say so as every other refusal is said."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            return method_not_allowed(request, response["Allow"])
        return response


class DomainErrorMiddleware:
    """Turns a DomainError that no view dealt with into its own status and words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DomainError):
            return domain_error_response(request, exception)
        if isinstance(exception, AWAY):
            return away(request)
        return None
