"""Signing in and out on a tenant's host."""

from __future__ import annotations

from uuid import UUID

from allauth.account import views as allauth_views
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import DomainError
from apps.tenancy.context import control
from apps.tenants.links import apex_link

from . import services
from .access import in_control, public
from .errors import HandoffRefused
from .forms import SetPasswordForm

BACKEND = "apps.accounts.backends.MemberBackend"


@public("people sign in here")
@in_control("sign-in")
def sign_in(request: HttpRequest) -> HttpResponseBase:
    return allauth_views.login(request)


@public("whoever is signed in may leave")
@require_POST
@in_control("sign-out")
def sign_out(request: HttpRequest) -> HttpResponseBase:
    return allauth_views.logout(request)


@public("the link from the mail is the proof")
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("token")
def set_password(request: HttpRequest, user_id: UUID, token: str) -> HttpResponse:
    """Let a member who was invited, or lost their password, choose one."""
    form = SetPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_password(user_id=user_id, token=token, **form.cleaned_data)
            messages.success(request, "Your password is set. Sign in with it.")
            return redirect("account_login")
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    response = render(request, "account/set_password.html", {"form": form}, status=422 if form.errors else 200)
    response["Referrer-Policy"] = "no-referrer"
    return response


@public("leads to the page where organizations are founded")
@require_safe
def sign_up(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(apex_link("/sign-up/"))


@public("the code is the proof")
@require_safe
@never_cache
@sensitive_variables("code")
def handoff(request: HttpRequest) -> HttpResponse:
    """Sign in with the code that the apex issued after sign-up, and leave its address behind."""
    code = request.GET.get("code", "")
    try:
        user = services.redeem_handoff_code(code=code)
    except HandoffRefused as error:
        messages.error(request, error.message)
        return redirect("account_login")
    with control("sign-in"):
        login(request, user, backend=BACKEND)
    return redirect("projects:list")
