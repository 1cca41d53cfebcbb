"""The page for members who may not do something: what it takes, and who can give it to them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from apps.access.errors import MissingPermission
from apps.access.permissions import DESCRIPTIONS
from apps.access.subjects import STAFF
from apps.core import problems

from .selectors import grantors_of

GRANTORS = 4


def permission_denied(request: Any, exception: Exception | None = None) -> HttpResponse:
    if not isinstance(exception, MissingPermission) or not request.subject.is_authenticated:
        return problems.permission_denied(request, exception)
    subject = request.subject
    page = {
        "permission": exception.permission,
        "allows": DESCRIPTIONS.get(exception.permission, ""),
        "grantors": [] if subject.type == STAFF else grantors_of(exception.permission, subject.tenant_id, GRANTORS),
    }
    return problems.error_response(request, 403, "permission_denied", str(exception), page=page)
