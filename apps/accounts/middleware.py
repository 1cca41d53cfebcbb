"""Who asks, whether the rate limit lets them, and whether what they show is still good: one round trip to memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from apps.access import limits
from apps.access.limits import Policy, Usage
from apps.access.subjects import Subject
from apps.core import memory
from apps.core.durations import in_words
from apps.core.errors import DomainError
from apps.core.http import is_api, is_safe
from apps.core.memory import MemoryAway
from apps.core.network import client_ip, network_of
from apps.core.problems import domain_error_response, error_response
from apps.tenancy import replicas
from apps.tenancy.replicas import positions
from apps.tenants.directory import DirectoryEntry, directory
from apps.tenants.serving import come_again, serve
from apps.tenants.versions import Latest

from . import revocation, subjects
from .errors import ForeignToken, TokenRefused
from .reader import FOR_PROGRAMS_AND_STAFF, turn_to
from .revocation import TokenState
from .services.api_keys import MARK, identify_api_key
from .tokens import read_access
from .visiting import VISIT_KEY

View = Callable[[HttpRequest], HttpResponseBase]


@dataclass(frozen=True)
class Caller:
    """What a request says of who sends it. ``bearer`` and ``token`` are those of an API call with credentials."""

    policy: Policy
    counted_as: str
    readers: tuple[str, str]
    bearer: Subject | None = None
    token: TokenState | None = None


@dataclass(frozen=True)
class Known:
    """What memory knows as a request begins; nothing but the usage of this process while it is away.

    ``is_good`` is None of a token that memory does not know.
    """

    usage: Usage
    is_good: bool | None = None
    latest: Latest | None = None
    written: Mapping[str, int] | None = None


class SubjectMiddleware:
    """Reads the credentials, counts the request and asks memory what it must know, then serves the subject."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        request.visit = None
        subjects.attach(request)
        try:
            caller = _bearer(request) or _browser(request)
        except DomainError as error:
            return self._refused(request, error)
        entry = _entry(request, caller)
        known = _ask(caller, entry)
        if not known.usage.admitted:
            return _with_limits(_too_many(request, known.usage), known.usage)
        if caller.token is not None and not _is_good(known, caller.token):
            return self._refused(request, TokenRefused())
        with replicas.reading(known.written if is_safe(request) else None) as reading:
            response = self._served(request, caller.bearer, entry and directory.as_now(entry, known.latest))
        if reading.written:
            positions.remember(caller.readers[0], reading.written)
        return _with_limits(response, known.usage)

    def _served(self, request: Any, bearer: Subject | None, entry: DirectoryEntry | None) -> HttpResponseBase:
        """Go on in the organization of the host, or on the apex in the bearer's, as it is now."""
        if bearer is not None:
            structlog.contextvars.bind_contextvars(user_id=bearer.id)
            request.subject = bearer
            if request.tenant is not None and request.tenant.id != bearer.tenant_id:
                return domain_error_response(request, ForeignToken())
        if entry is None or (request.tenant is not None and entry.tenant is request.tenant):
            return self.get_response(request)
        if request.tenant is not None and entry.tenant is not None and request.tenant.id != entry.tenant.id:
            return come_again(request, entry.tenant)  # the session was read as one of the other organization's
        return serve(request, entry.tenant, self._respond_anew)

    def _respond_anew(self, request: Any) -> HttpResponseBase:
        """The organization was looked up again after its language was chosen: choose it again."""
        profile = getattr(request.tenant, "profile", None)
        if profile is not None and not request.path.startswith(FOR_PROGRAMS_AND_STAFF):
            turn_to(request, None, profile)
        return self.get_response(request)

    def _refused(self, request: HttpRequest, error: DomainError) -> HttpResponseBase:
        """Whoever shows what is not good is counted by their address."""
        usage = _ask(_stranger(request)).usage
        response = domain_error_response(request, error) if usage.admitted else _too_many(request, usage)
        return _with_limits(response, usage)


def _entry(request: Any, caller: Caller) -> DirectoryEntry | None:
    """The organization of the host, or on the apex the bearer's, as it was found."""
    found: DirectoryEntry | None = request.directory_entry
    return found or (directory.find(caller.bearer.tenant_id) if caller.bearer else None)


def _bearer(request: HttpRequest) -> Caller | None:
    """The bearer that an API call names, as far as can be told without asking. Raises TokenRefused."""
    header = request.headers.get("Authorization", "")
    if not header or not is_api(request):
        return None
    bearer, token = _credentials(header)
    readers = _readers(bearer.session_id or bearer.id, bearer.tenant_id)
    return Caller(_per_user(), f"{bearer.tenant_id}:{bearer.id}", readers, bearer, token)


def _browser(request: Any) -> Caller:
    """Whoever is signed in by the session, or else the address that the request came from."""
    readers = _readers(_digest(request.session.session_key), getattr(request.tenant, "id", None))
    user_id = request.session.get(SESSION_KEY) or request.session.get(VISIT_KEY)
    if not user_id:
        return _stranger(request, readers)
    structlog.contextvars.bind_contextvars(user_id=user_id)
    return Caller(_per_user(), str(user_id), readers)


def _stranger(request: HttpRequest, readers: tuple[str, str] = ("", "")) -> Caller:
    policy = Policy("address", settings.REQUESTS_PER_MINUTE_ADDRESS, 60)
    return Caller(policy, network_of(client_ip(request)), readers)


def _per_user() -> Policy:
    return Policy("user", settings.REQUESTS_PER_MINUTE_USER, 60)


def _credentials(header: str) -> tuple[Subject, TokenState | None]:
    """The bearer that an API call names, and what decides whether the token is still good. Raises TokenRefused."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.isascii():
        raise TokenRefused("Send the token as 'Authorization: Bearer …'.")
    if text.startswith(MARK):
        return subjects.of_api_key(identify_api_key(text)), None
    return read_access(text)


def _readers(own: str, tenant_id: UUID | None) -> tuple[str, str]:
    """Whoever must see what they wrote: the session, token family or key; and all of the organization it is in."""
    return own, positions.everybody_in(tenant_id) if tenant_id else ""


def _digest(session_key: str | None) -> str:
    return hashlib.sha256(session_key.encode()).hexdigest() if session_key else ""


def _ask(caller: Caller, entry: DirectoryEntry | None = None) -> Known:
    usage = limits.counting(caller.policy, caller.counted_as)
    latest, written = directory.asking(entry), positions.asking(*caller.readers)
    token = [revocation.asking(caller.token)] if caller.token else []
    try:
        memory.ask_together(usage, latest, written, *token)
    except MemoryAway:
        directory.doubt()
        return Known(limits.local_buckets.count(caller.policy, caller.counted_as))
    return Known(usage.answer, token[0].answer if token else None, latest.answer, written.answer)


def _is_good(known: Known, token: TokenState) -> bool:
    """Raises OperationalError when neither store nor database can say: then nobody gets in."""
    return revocation.look_up(token) if known.is_good is None else known.is_good


def _too_many(request: HttpRequest, usage: Usage) -> HttpResponse:
    wait = max(usage.reset_seconds, 1)
    said = {"quota": usage.policy.quota, "seconds": usage.policy.seconds, "time": in_words(wait)}
    detail = _("More than %(quota)s requests in %(seconds)s seconds. Try again in %(time)s.") % said
    headers = {"Retry-After": str(wait)}
    return error_response(request, 429, "too_many_requests", detail, headers=headers)


def _with_limits(response: HttpResponseBase, usage: Usage) -> HttpResponseBase:
    """draft-ietf-httpapi-ratelimit-headers-10."""
    policy = usage.policy
    response.headers["RateLimit-Policy"] = f'"{policy.name}";q={policy.quota};w={policy.seconds}'
    response.headers["RateLimit"] = f'"{policy.name}";r={max(usage.remaining, 0)};t={usage.reset_seconds}'
    return response
