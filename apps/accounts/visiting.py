"""Requests of staff on a support visit: they read, and the organization is told what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http.response import HttpResponseBase

from apps.access.guards import access_of, would_write
from apps.core.forms import INVALID
from apps.core.problems import domain_error_response

from . import subjects
from .errors import VisitIsReadOnly
from .models import SupportVisit
from .selectors import find_visit
from .services import visits

VISIT_KEY = "support_visit"


class VisitMiddleware:
    """``request.visit`` is the support visit that the browser's session belongs to, if any.

    Visitors only read: see ``Access.while_read_only``. A page that cannot be recorded is not shown.
    """

    def __init__(self, get_response: Callable[[Any], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        visit = _visit_of(request)
        if visit is None:
            return self.get_response(request)
        request.visit = visit
        subjects.attach(request)
        structlog.contextvars.bind_contextvars(visit_id=str(visit.id), user_id=str(visit.user_id))
        response = self.get_response(request)
        if _is_page(response) and _is_for_members(request):
            visits.tell_page(visit, request.path)
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if request.visit is not None and would_write(request, view):
            return domain_error_response(request, VisitIsReadOnly())
        return None


def _visit_of(request: Any) -> SupportVisit | None:
    """Who shows a token is its bearer, whatever the browser's session says."""
    visit_id = request.session.get(VISIT_KEY) if request.tenant is not None else None
    if not visit_id or request.subject.is_bearer:
        return None
    return find_visit(visit_id, request.tenant.id)


def _is_page(response: HttpResponseBase) -> bool:
    """Whether something was shown; a form that was filled in wrongly comes back with its page."""
    return response.status_code < 400 or response.status_code == INVALID


def _is_for_members(request: Any) -> bool:
    """Whether the view shows what is not for everybody."""
    match = request.resolver_match
    access = access_of(match.func) if match else None
    return bool(access is not None and access.permission)
