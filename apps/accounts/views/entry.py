"""Signing in and out on a tenant's host, and what people do with the links that are mailed to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account import views as allauth_views
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from apps.access.guards import in_control, public, requires
from apps.access.once import once
from apps.access.permissions import MEMBER
from apps.access.services import attempts
from apps.access.services.attempts import ACCEPTANCE, LOOKUP, RESET, SIGN_IN
from apps.core.forms import blaming, done, form_page, posted
from apps.core.middleware import content_security_policy
from apps.tenants.links import apex_link, link
from apps.tenants.selectors import tenant_for_host

from .. import known_devices, subjects
from ..errors import HandoffRefused
from ..forms.entry import AcceptForm, AddressForm, OrganizationAddressForm, SetPasswordForm
from ..requests import TenantRequest
from ..services import handoff as handoffs
from ..services import invitations, lookup, people, sessions
from ..sign_in import enter
from .reminders import remind_of_keys

MAILED = gettext_lazy("If the address is known here, a mail is on its way to it.")


@public("people sign in here")
def sign_in(request: TenantRequest) -> HttpResponseBase:
    if request.method == "POST":
        known_devices.count_attempt(request, SIGN_IN, request.POST.get("login", ""))
    was_signed_in = request.user.is_authenticated
    response = _sign_in(request)
    if request.method == "POST" and response.status_code == 302:
        subjects.attach(request)
        sessions.note_sign_in(request.subject)
        if not was_signed_in:  # or nothing was proven
            known_devices.remember(request, response, request.user)
    return response


@in_control("sign-in")
def _sign_in(request: TenantRequest) -> HttpResponseBase:
    view = allauth_views.LoginView.as_view(extra_context={"elsewhere": apex_link("/sign-in/")})
    return view(request)  # type: ignore[no-any-return]


@public("whoever is signed in may leave")
@require_POST
def sign_out(request: TenantRequest) -> HttpResponseBase:
    sessions.note_sign_out(request.subject)  # who afterward is nobody any more
    return _sign_out(request)


@in_control("sign-out")
def _sign_out(request: TenantRequest) -> HttpResponseBase:
    return allauth_views.logout(request)


@public("the link from the mail is the proof")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("token")
@once
def set_password(request: TenantRequest, user_id: UUID, token: str) -> HttpResponse:
    """Let a member who was invited, or lost their password, choose one."""
    form = SetPasswordForm(posted(request))
    if form.is_valid():
        with blaming(form):
            person = people.set_password(user_id=user_id, token=token, **form.cleaned_data)
            response = done(request, _("Your password is set. Sign in with it."), "account_login")
            remind_of_keys(request, person)
            return known_devices.remember(request, response, person)
    return form_page(request, "account/set_password.html", form)


@public("whoever lost their password cannot sign in")
@require_http_methods(["GET", "HEAD", "POST"])
@once
def reset_password(request: TenantRequest) -> HttpResponse:
    """Have a link mailed with which a member sets a new password; the answer is the same for everybody."""
    form = AddressForm(posted(request))
    if form.is_valid():
        with blaming(form):
            known_devices.count_attempt(request, RESET, form.cleaned_data["email"])
            people.request_password_reset(email=form.cleaned_data["email"])
            return done(request, str(MAILED), "account_login")
    return form_page(request, "account/reset_password.html", form)


@public("the invitation's link is the proof")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("token")
@once
def accept_invitation(request: TenantRequest, token: str) -> HttpResponse:
    """Become a member: with the password that one has, or a new one."""
    prospect = invitations.open_invitation(token)
    form = AcceptForm(posted(request), known=prospect.known)
    if form.is_valid():
        with blaming(form):
            attempts.count_attempt(request, ACCEPTANCE, token)
            membership = invitations.accept(token=token, **form.cleaned_data)
            enter(request, membership)
            return known_devices.remember(request, redirect("overview"), membership.user)
    return form_page(request, "account/accept_invitation.html", form, invitation=prospect.invitation)


@requires(MEMBER)
@require_GET
@never_cache
def verify_email(request: TenantRequest, token: str) -> HttpResponse:
    """Note that the signed-in person's address is theirs."""
    user: Any = request.user
    people.verify_email(user=user, token=token, actor=request.subject)
    return done(request, _("%(email)s is verified.") % {"email": user.email}, "overview")


@public("whoever forgot their organization's address cannot sign in")
@require_http_methods(["GET", "HEAD", "POST"])
@once
def find_organizations(request: TenantRequest) -> HttpResponse:
    """Have the list of one's organizations mailed; the answer is the same for everybody."""
    if "mailed" in request.GET and request.method != "POST":
        return render(request, "account/find_organizations.html", {"done": MAILED})
    form = AddressForm(posted(request))
    if form.is_valid():
        with blaming(form):
            known_devices.count_attempt(request, LOOKUP, form.cleaned_data["email"])
            lookup.request_organizations(email=form.cleaned_data["email"])
            return HttpResponseRedirect("?mailed")
    return form_page(request, "account/find_organizations.html", form)


@public("whoever has not said which organization they mean cannot be signed in to one")
@require_http_methods(["GET", "HEAD", "POST"])
def choose_organization(request: TenantRequest) -> HttpResponse:
    """Lead from the apex to the sign-in page of the organization with this address."""
    form = OrganizationAddressForm(posted(request))
    if form.is_valid():
        host = form.cleaned_data["organization"]
        if tenant_for_host(host) is not None:
            return HttpResponseRedirect(link(host, "/sign-in/"))
        form.add_error("organization", _("No organization answers at %(host)s.") % {"host": host})
    response = form_page(request, "account/choose_organization.html", form)
    hosts = link(f"*.{settings.BASE_DOMAIN}", path="")
    response["Content-Security-Policy"] = content_security_policy(form_targets=hosts)
    return response


@public("leads to the page where organizations are created")
@require_safe
def sign_up(request: TenantRequest) -> HttpResponse:
    return HttpResponseRedirect(apex_link("/sign-up/"))


@public("the code is the proof")
@require_GET
@never_cache
@sensitive_variables("code")
def handoff(request: TenantRequest) -> HttpResponse:
    """Sign in with the code that the apex issued after sign-up, and leave its address behind."""
    code = request.GET.get("code", "")
    try:
        membership = handoffs.redeem_handoff_code(code=code)
    except HandoffRefused as error:
        messages.error(request, error.message)
        return redirect("account_login")
    enter(request, membership)
    return known_devices.remember(request, redirect("overview"), membership.user)
