"""Signing a browser in on an organization's host."""

from __future__ import annotations

from django.contrib.auth import login

from apps.tenancy.context import control

from . import subjects
from .models import Membership
from .requests import TenantRequest
from .services import sessions
from .visiting import VISIT_KEY

BACKEND = "apps.accounts.backends.MemberBackend"


def enter(request: TenantRequest, membership: Membership) -> None:
    """Sign the browser in, however the person has proven who they are; whoever visited in it does not any more."""
    request.session.pop(VISIT_KEY, None)
    request.visit = None
    user = membership.user
    user.membership = membership
    with control("sign-in"):
        login(request, user, backend=BACKEND)
    subjects.attach(request)
    sessions.note_sign_in(request.subject)
