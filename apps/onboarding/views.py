"""The apex: what the product is, and creating an organization."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.guards import public
from apps.access.once import once
from apps.access.services.attempts import SIGN_UP
from apps.accounts.known_devices import count_attempt, remember
from apps.accounts.services.handoff import issue_handoff_code
from apps.core.errors import DomainError
from apps.core.forms import blaming, form_page, posted
from apps.core.middleware import content_security_policy
from apps.operations.health import recent_readiness
from apps.tenants.links import authority, link
from apps.tenants.selectors import free_slug, primary_domain
from apps.tenants.slugs import slugify

from . import brochure, services
from .forms import SignUpForm

STATUS_SECONDS = 30
PARTS = (  # of what /ready looks at, as people know them
    ("database", _("Sign-in and organizations"), _("People, roles and the data of most organizations")),
    ("tenant_databases", _("Databases of their own"), _("Organizations that have a database to themselves")),
    ("redis", _("Mail and background work"), _("Deliveries, limits and what is worked off later")),
    ("migrations", _("Releases"), _("The program and its data are of the same release")),
)


@public("the product's front page")
@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    context = {
        "features": brochure.FEATURES,
        "figures": brochure.FIGURES,
        "tiles": brochure.TILES,
        "points": brochure.POINTS,
        "events": brochure.HAPPENINGS,
        "domain": settings.BASE_DOMAIN,
    }
    return render(request, "onboarding/landing.html", context)


@public("organizations are created here")
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@once
def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(posted(request))
    if form.is_valid():
        with blaming(form):
            count_attempt(request, SIGN_UP, form.cleaned_data["email"])
            outcome = services.sign_up(**form.cleaned_data, locale=get_language() or "")
            return remember(request, _welcome(outcome), outcome.owner)
    response = form_page(request, "onboarding/sign_up.html", form, **_address(request.POST.get("organization", "")))
    hosts = link(f"*.{settings.BASE_DOMAIN}", path="")
    response["Content-Security-Policy"] = content_security_policy(form_targets=hosts)
    return response


@public("shows the address that a new organization would get")
@require_safe
def address(request: HttpRequest) -> HttpResponse:
    return render(request, "onboarding/address.html", _address(request.GET.get("organization", "")))


@public("whether the platform works is no secret")
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    readiness = recent_readiness()
    parts = [{"label": label, "detail": about, "result": readiness.checks.get(name)} for name, label, about in PARTS]
    is_staff = request.user.is_active and request.user.is_staff
    context = {"readiness": readiness, "parts": parts if is_staff else [], "interval": STATUS_SECONDS}
    return render(request, "onboarding/status.html", context)


def _address(organization: str) -> dict[str, Any]:
    """The address for a name, and whether another organization has the one that the name alone would give."""
    try:
        name, _ = services.validated(organization=organization, placement="")
    except DomainError:
        return {}
    plain, free = slugify(name), free_slug(name)
    wanted, host = (authority(f"{slug}.{settings.BASE_DOMAIN}") for slug in (plain, free))
    return {"wanted": wanted, "host": host if free else "", "is_free": plain == free}


def _welcome(outcome: services.SignUp) -> HttpResponse:
    """Hand the new owner over to the organization's own host, signed in."""
    code = issue_handoff_code(tenant_id=outcome.tenant.id, person=outcome.owner)
    host = primary_domain(outcome.tenant.id).domain
    return HttpResponseRedirect(link(host, reverse("handoff", urlconf=settings.ROOT_URLCONF), code=code))
