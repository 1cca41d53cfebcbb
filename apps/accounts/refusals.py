"""The page for members who may not do something: what it takes, and who can give it to them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from apps.access.errors import MissingPermission
from apps.access.guards import subject_of
from apps.access.permissions import DESCRIPTIONS
from apps.access.subjects import STAFF
from apps.core import problems

from .selectors import grantors_of

GRANTORS = 4


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    subject = subject_of(request) if isinstance(exception, MissingPermission) else None
    if subject is None or not isinstance(exception, MissingPermission):
        return problems.permission_denied(request, exception)
    page = {
        "permission": exception.permission,
        "allows": DESCRIPTIONS.get(exception.permission, ""),
        "grantors": [] if subject.type == STAFF else grantors_of(exception.permission, subject.tenant_id, GRANTORS),
    }
    return problems.error_response(request, 403, "permission_denied", str(exception), page=page)
