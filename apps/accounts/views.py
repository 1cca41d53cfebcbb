"""Signing in and out on a tenant's host."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from apps.tenancy.context import control
from apps.tenants.links import apex_link

from . import services
from .access import in_control, public
from .errors import HandoffRefused

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
