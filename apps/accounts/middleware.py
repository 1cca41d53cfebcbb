"""Who asks, whether the rate limit lets them, and where what they do is ascribed to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

from apps.access import limits
from apps.access.limits import Answer, Policy
from apps.access.subjects import Subject
from apps.audit.actors import Origin, acting_from
from apps.core.errors import DomainError
from apps.core.memory import MemoryAway
from apps.core.network import client_ip, network_of
from apps.core.problems import domain_error_response, error_response
from apps.tenancy import replicas
from apps.tenancy.context import iterate_inside, use
from apps.tenancy.replicas import positions
from apps.tenants.bulkhead import Full, bulkhead
from apps.tenants.directory import OutOfDate, directory
from apps.tenants.middleware import refusal_for, too_much_at_once

from . import revocation, subjects
from .errors import ForeignToken, TokenRefused
from .services.api_keys import MARK, identify_api_key
from .tokens import read_access
from .visiting import VISIT_KEY

View = Callable[[HttpRequest], HttpResponseBase]
API = "/api/"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginMiddleware:
    """Ascribes what the request records to its network address, program and session."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        place = Origin(ip=client_ip(request), user_agent=request.headers.get("User-Agent", "").replace("\x00", ""))
        structlog.contextvars.bind_contextvars(ip=place.ip)
        with acting_from(place):
            return self.get_response(request)


class SubjectMiddleware:
    """Reads the credentials, counts the request, asks whether the token still stands: one round trip.

    ``request.subject`` is the bearer of a token or key. A browser's session is looked at when a view asks.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        request.subject = None
        try:
            subject, token = _credentials(request)
        except DomainError as error:
            return self._refused(request, error)
        policy, who = _limit_of(request, subject)
        answer = getattr(request, "answer", None) or _knock(policy, who, token, _readers(request, subject))
        if not answer.admitted:
            return _with_limits(_too_many(request, answer), answer)
        if request.directory_version is not None and request.directory_version != answer.directory:
            request.answer = answer  # the request comes again, and counts once
            return OutOfDate()
        if token is not None and not _stands(answer, token):
            return self._refused(request, TokenRefused())
        with replicas.reading(answer.written if request.method in SAFE else None) as reading:
            response = self._respond(subject, request, answer)
        if reading.written:
            positions.remember(_readers(request, subject)[0], reading.written)
        return _with_limits(response, answer)

    def _respond(self, subject: Subject | None, request: Any, answer: Answer) -> HttpResponseBase:
        if subject is None:
            return self.get_response(request)
        structlog.contextvars.bind_contextvars(user_id=subject.id)
        return self._as(subject, request, answer)

    def _as(self, subject: Subject, request: Any, answer: Answer) -> HttpResponseBase:
        """Go on as the bearer: on their organization's host, or on the apex in their organization."""
        request.subject = subject
        if request.tenant is not None:
            if request.tenant.id != subject.tenant_id:
                return domain_error_response(request, ForeignToken())
            return self.get_response(request)
        entry = directory.find(subject.tenant_id)
        if entry.version is not None and entry.version != answer.directory:
            entry = directory.find_anew(subject.tenant_id)
        tenant = entry.tenant
        refusal = refusal_for(request, tenant)
        if refusal is not None or tenant is None:
            return refusal or domain_error_response(request, TokenRefused())
        request.tenant = tenant
        structlog.contextvars.bind_contextvars(tenant=tenant.slug, tenant_id=str(tenant.id))
        try:
            with bulkhead.place_for(tenant.id), use(tenant.context()) as context:
                response = self.get_response(request)
        except Full:
            return too_much_at_once(request, tenant)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = iterate_inside(context, response.streaming_content)  # type: ignore[arg-type]
        return response

    def _refused(self, request: HttpRequest, error: DomainError) -> HttpResponseBase:
        answer = _knock(*_limit_of(request, None), None)
        response = domain_error_response(request, error) if answer.admitted else _too_many(request, answer)
        return _with_limits(response, answer)


def _credentials(request: HttpRequest) -> tuple[Subject | None, limits.Token | None]:
    """The bearer that an API call names, as far as can be told without asking. Raises TokenRefused."""
    header = request.headers.get("Authorization", "")
    if not header or not request.path.startswith(API):
        return None, None
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.isascii():
        raise TokenRefused("Send the token as 'Authorization: Bearer …'.")
    if text.startswith(MARK):
        return subjects.of_api_key(identify_api_key(text)), None
    return read_access(text)


def _limit_of(request: Any, subject: Subject | None) -> tuple[Policy, str]:
    if subject is not None:
        return Policy("user", settings.REQUESTS_PER_MINUTE_USER, 60), f"{subject.tenant_id}:{subject.id}"
    user_id = request.session.get(SESSION_KEY) or request.session.get(VISIT_KEY)
    if user_id:
        structlog.contextvars.bind_contextvars(user_id=user_id)
        return Policy("user", settings.REQUESTS_PER_MINUTE_USER, 60), str(user_id)
    return Policy("address", settings.REQUESTS_PER_MINUTE_ADDRESS, 60), network_of(client_ip(request))


def _readers(request: Any, subject: Subject | None) -> tuple[str, str]:
    """Whoever must see what they wrote: the session, tokens' family or key; and the organization it is in."""
    tenant_id = subject.tenant_id if subject else getattr(request.tenant, "id", "")
    everybody = positions.everybody_in(tenant_id) if tenant_id else ""
    if subject is not None:
        return subject.session_id or subject.id, everybody
    key = request.session.session_key
    return hashlib.sha256(key.encode()).hexdigest() if key else "", everybody


def _knock(policy: Policy, who: str, token: limits.Token | None, readers: tuple[str, str] = ("", "")) -> Answer:
    try:
        return limits.knock(policy, who, token, readers)
    except MemoryAway:
        return limits.local_buckets.knock(policy, who)


def _stands(answer: Answer, token: limits.Token) -> bool:
    """Raises OperationalError when neither store nor database can say: then nobody gets in."""
    return revocation.look_up(token) if answer.standing is None else answer.standing


def _too_many(request: HttpRequest, answer: Answer) -> HttpResponse:
    numbers = {"quota": answer.policy.quota, "seconds": answer.policy.seconds}
    detail = _("More than %(quota)s requests in %(seconds)s seconds.") % numbers
    headers = {"Retry-After": str(max(answer.reset_seconds, 1))}
    return error_response(request, 429, "too_many_requests", detail, headers=headers)


def _with_limits(response: HttpResponseBase, answer: Answer) -> HttpResponseBase:
    """draft-ietf-httpapi-ratelimit-headers-10."""
    policy = answer.policy
    response.headers["RateLimit-Policy"] = f'"{policy.name}";q={policy.quota};w={policy.seconds}'
    response.headers["RateLimit"] = f'"{policy.name}";r={max(answer.remaining, 0)};t={answer.reset_seconds}'
    return response
