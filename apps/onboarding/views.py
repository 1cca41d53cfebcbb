"""The apex: what the product is, and founding an organization."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.access import public
from apps.accounts.limits import SIGN_UP, count_attempt
from apps.accounts.services.handoff import issue_handoff_code
from apps.core.errors import DomainError
from apps.core.middleware import content_security_policy
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain

from . import services
from .forms import SignUpForm


@public("the product's front page")
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/landing.html")


@public("organizations are founded here")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            count_attempt(request, SIGN_UP, form.cleaned_data["email"])
            return _welcome(services.sign_up(**form.cleaned_data))
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    response = render(request, "onboarding/sign_up.html", {"form": form}, status=422 if form.errors else 200)
    hosts = link(f"*.{settings.BASE_DOMAIN}", path="")
    response["Content-Security-Policy"] = content_security_policy(form_targets=hosts)
    return response


def _welcome(founded: services.SignUp) -> HttpResponse:
    """Hand the new owner over to the organization's own host, signed in."""
    code = issue_handoff_code(tenant_id=founded.tenant.id, user_id=founded.owner.id)
    host = primary_domain(founded.tenant.id).domain
    return HttpResponseRedirect(link(host, reverse("handoff", urlconf=settings.ROOT_URLCONF), code=code))
