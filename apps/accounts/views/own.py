"""What members look after themselves: profile, address, password, where they are signed in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.access.guards import requires
from apps.access.permissions import MEMBER
from apps.access.services.attempts import PASSWORD, VERIFICATION, count_attempt
from apps.core.forms import blaming, done, editing, form_page, posted
from apps.tenancy.context import control
from apps.tenants.selectors import profile_of

from .. import known_devices, selectors
from ..forms.own import PasswordForm, ProfileForm
from ..models import User
from ..reader import turn_to
from ..requests import TenantRequest
from ..services import members, people, sessions
from .reminders import remind_of_keys


@requires(MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: TenantRequest) -> HttpResponse:
    user: Any = request.user
    theirs = profile_of(user.membership.tenant_id)
    form = ProfileForm(
        posted(request),
        initial={name: getattr(user.membership, name) for name in members.PROFILE},
        organization={"locale": theirs.locale, "time_zone": theirs.time_zone},
    )
    form = editing(form, user.membership)
    if form.is_valid():
        with blaming(form):
            chosen = members.update_profile(actor=request.subject, member_id=user.membership.id, **form.cleaned_data)
            turn_to(request, chosen, theirs)
            return done(request, _("Your profile is saved."), "profile")
    with control("show a profile"):
        verified = people.is_verified(user)
    return form_page(request, "own/profile.html", form, verified=verified)


@requires(MEMBER)
@require_POST
def send_verification(request: TenantRequest) -> HttpResponse:
    """Mail the member a link that proves their address."""
    user: Any = request.user
    count_attempt(request, VERIFICATION, user.email)  # whoever signed up with it need not be who reads its mail
    people.request_verification(user=user, actor=request.subject)
    return done(request, _("A link is on its way to %(email)s.") % {"email": user.email}, "profile")


@requires(MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("old_password", "new_password")
def security(request: TenantRequest) -> HttpResponse:
    """Where one is signed in, and a new password, which ends all of that."""
    form = PasswordForm(posted(request))
    if form.is_valid():
        with blaming(form):
            person = _change_password(request, form.cleaned_data)
            response = _out(request, _("Your password is changed. Sign in with it."))
            remind_of_keys(request, person)
            return known_devices.remember(request, response, person)
    signed_in = selectors.sessions_of(request.subject, request.session.session_key or "")
    return form_page(request, "own/security.html", form, sessions=signed_in)


@requires(MEMBER)
@require_POST
def end_session(request: TenantRequest, session_id: UUID) -> HttpResponse:
    """Sign out elsewhere; with one's own session, here."""
    signed_in = selectors.sessions_of(request.subject, request.session.session_key or "")
    is_current = any(session.is_current for session in signed_in if session.id == session_id)
    sessions.revoke_session(actor=request.subject, session_id=session_id)
    if is_current:
        return _out(request, _("You are signed out."))
    return done(request, _("That session is signed out."), "security")


@requires(MEMBER)
@require_POST
def sign_out_everywhere(request: TenantRequest) -> HttpResponse:
    sessions.sign_out_everywhere(actor=request.subject)
    return _out(request, _("You are signed out everywhere."))


def _change_password(request: TenantRequest, passwords: dict[str, str]) -> User:
    """Raises WrongPassword, WeakPassword, TooManyAttempts."""
    actor = request.subject
    user: Any = selectors.find_person(actor.user_id)
    count_attempt(request, PASSWORD, str(user.pk))  # nobody guesses it at a screen that was left open
    people.change_password(user=user, old=passwords["old_password"], new=passwords["new_password"], actor=actor)
    return user  # type: ignore[no-any-return]


def _out(request: TenantRequest, message: str) -> HttpResponse:
    """To the sign-in page, with a new session in place of the one that was ended."""
    request.session.flush()
    return done(request, message, "account_login")
