"""How pages look."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from apps.access.guards import public
from apps.accounts.requests import TenantRequest
from apps.core.theme import THEME_COOKIE, THEME_SECONDS, THEMES

from ..forms.specimen import SpecimenForm


@public("how pages look is everybody's own choice")
@require_POST
def theme(request: TenantRequest) -> HttpResponse:
    """Keep the choice of light or dark for a year; anything else forgets it."""
    chosen, back = request.POST.get("theme", ""), request.POST.get("next", "/")
    allowed = url_has_allowed_host_and_scheme(back, {request.get_host()})
    response = HttpResponseRedirect(back if allowed else "/")  # as it is: redirect() takes a word for a route
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE, chosen, max_age=THEME_SECONDS, samesite="Lax", secure=request.is_secure(), httponly=True
        )
    else:
        response.delete_cookie(THEME_COOKIE)
    return response


@public("exists in development only")
@require_safe
def components(request: TenantRequest) -> HttpResponse:
    """Every component of the pages, on one page."""
    values = [(f"{day} Nov", float(day * 37 % 23 + day)) for day in range(1, 21)]
    tabs = [{"label": label, "url": f"#{label}", "is_current": label == "First"} for label in ("First", "Second")]
    form = SpecimenForm({"name": "", "agreed": True})
    return render(request, "workspace/components.html", {"values": values, "tabs": tabs, "form": form})
