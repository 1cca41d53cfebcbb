"""Migrations of the fleet: what ran, wave by wave, and which schemas are in quarantine."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import DomainError
from apps.fleet.selectors import quarantine, recent_runs
from apps.fleet.services import migration

from .access import staff_only
from .services import staff_actor
from .site import site

RUNS, SHOWN = 10, 100


@staff_only
@require_safe
@never_cache
def fleet(request: HttpRequest) -> HttpResponse:
    number, longest = quarantine(SHOWN)
    context = {
        **site.each_context(request),
        "title": "Migrations",
        "runs": recent_runs(RUNS),
        "quarantined": number,
        "quarantine": longest,
        "shown": SHOWN,
    }
    return render(request, "staff/fleet.html", context)


@staff_only
@require_POST
def retry_quarantined(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    try:
        number = migration.request_retry(actor=staff_actor(user))
        messages.success(request, f"Schemas that are tried again: {number}.")
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("staff-fleet")
