"""Errors as RFC 9457 problem details, or as a page for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import Error, ErrorResponse
from redis import RedisError
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.response import Response

from .error_pages import error_page
from .errors import DomainError
from .memory import MemoryAway
from .parsers import ContentTooLarge
from .routes import methods_of

AWAY = (RedisError, MemoryAway, OperationalError)
PROBLEM_JSON = "application/problem+json"
MOST_FAULTS = 50
RETRY_SOON = {"Retry-After": "1"}


def problem(status: int, code: str, detail: str, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The members of a problem document; ``errors`` name the fields at fault."""
    body: dict[str, Any] = {
        "type": f"urn:tenantry:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        body["request_id"] = request_id
    if errors:
        body["errors"] = errors
    return body


def error_response(
    request: HttpRequest,
    status: int,
    code: str,
    detail: str,
    *,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    page: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """An error outside any view: problem+json for clients of the API, a page for everyone else.

    ``extra`` are further members of the problem, ``page`` is what only the page shows.
    """
    if request.path.startswith("/api/"):
        body = {**problem(status, code, detail), **(extra or {})}
        response: HttpResponse = JsonResponse(body, status=status, content_type=PROBLEM_JSON)
    else:
        response = error_page(request, status, code, detail, headers or {}, page or {})
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def domain_error_response(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A broken rule outside REST framework, in its own status and words."""
    return error_response(
        request, error.status, error.code, error.message, extra=error.extra, headers=_headers_of(error)
    )


def _headers_of(error: DomainError) -> dict[str, str]:
    challenge = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}  # RFC 9110, 11.6.1
    return {**challenge, **error.headers}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return error_response(request, 413, ContentTooLarge.default_code, str(ContentTooLarge.default_detail))
    return error_response(request, 400, "bad_request", _("The request could not be understood."))


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, 403, "permission_denied", str(exception or "") or _("You may not do this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without the token of its page, unless the page takes no form at all."""
    allowed = methods_of(request.resolver_match and request.resolver_match.func)
    if request.method not in allowed:
        return method_not_allowed(request, ", ".join(allowed))
    detail = _("This form has expired, or was sent from another site. Go back, reload the page and send it again.")
    return error_response(request, 403, "csrf_failed", detail)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_response(request, 404, "not_found", _("There is nothing at this address."))


def method_not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    detail = _("%(method)s is not possible here, only %(allowed)s.") % {"method": request.method, "allowed": allowed}
    return error_response(request, 405, "method_not_allowed", detail, headers={"Allow": allowed})


def server_error(request: HttpRequest) -> HttpResponse:
    if isinstance(sys.exc_info()[1], AWAY):
        return away(request)
    return error_response(request, 500, "server_error", _("Something went wrong on our side. It has been noted."))


def away(request: HttpRequest) -> HttpResponse:
    """A server that we need is away; whoever asked may try again."""
    return error_response(request, 503, ServerAway.default_code, str(ServerAway.default_detail), headers=RETRY_SOON)


class DomainProblem(APIException):
    """A DomainError on its way through REST framework."""

    def __init__(self, error: DomainError) -> None:
        self.status_code = error.status
        self.field, self.extra, self.headers = error.field, error.extra, _headers_of(error)
        super().__init__(error.message, error.code)


class ServerAway(APIException):
    """The database, or what counts attempts, is away, so nothing that needs it is let through."""

    status_code = 503
    default_code = "temporarily_unavailable"
    default_detail = gettext_lazy("This is not possible for a moment. Please try again.")
    headers = RETRY_SOON


class ProblemHandler(ExceptionHandler):  # type: ignore[misc]
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, DomainError):
            return DomainProblem(exc)
        if isinstance(exc, AWAY):
            return ServerAway()
        if isinstance(exc, RequestDataTooBig):
            return ContentTooLarge()
        if isinstance(exc, SuspiciousOperation):
            return ParseError(str(exc))
        return super().convert_known_exceptions(exc)  # type: ignore[no-any-return]

    def get_response(self, exc: APIException, data: dict[str, Any]) -> Response:
        response = super().get_response(exc, data)
        response.content_type = PROBLEM_JSON
        for name, value in getattr(exc, "headers", {}).items():
            response[name] = value
        return response  # type: ignore[no-any-return]


class ProblemFormatter(ExceptionFormatter):  # type: ignore[misc]
    """Names what is wrong, up to MOST_FAULTS: an answer is no longer for being asked with more of it."""

    def get_errors(self) -> list[Error]:
        return list(_named(self.exc.detail))

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        first = error_response.errors[0]
        if isinstance(self.exc, ValidationError):
            faults = error_response.errors
            errors = [{"field": e.attr, "code": e.code, "detail": e.detail} for e in faults[:MOST_FAULTS]]
            return problem(self.exc.status_code, "validation_error", _in_short(len(faults)), errors)
        field = getattr(self.exc, "field", "")
        errors = [{"field": field, "code": first.code, "detail": first.detail}] if field else []
        body = problem(self.exc.status_code, first.code, first.detail, errors)
        return {**body, **getattr(self.exc, "extra", {})}


def _named(detail: Any, field: str | None = None) -> Iterator[Error]:
    """Each fault with the field that it is about, whose name has those in front that it is inside of."""
    if isinstance(detail, ErrorDetail):
        yield Error(detail.code, str(detail), field)  # type: ignore[arg-type]
        return
    for name, inside in detail.items() if isinstance(detail, Mapping) else enumerate(detail):
        is_about_this = isinstance(detail, list) and isinstance(inside, ErrorDetail)
        yield from _named(inside, field if is_about_this else f"{field}.{name}" if field else str(name))


def _in_short(faults: int) -> str:
    more = faults - MOST_FAULTS
    return "The request has errors." if more <= 0 else f"The request has errors, and {more} more than are named here."
