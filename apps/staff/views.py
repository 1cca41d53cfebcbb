"""The outbox, which is no model: its rows are in every database, and only its own role reads them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import DomainError
from apps.operations.selectors import all_outboxes, open_outbox, outbox_names
from apps.operations.services import retry_event
from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.outbox import COUNTED, Backlog, backlog, pending

from .access import is_superuser, staff_only
from .forms import OutboxForm
from .services import staff_actor
from .site import site

SHOWN = 50


@staff_only
@require_safe
@never_cache
def outbox(request: HttpRequest) -> HttpResponse:
    """Events that are not done yet, of one database at a time; whose they are is for superusers."""
    form = OutboxForm(request.GET or None)
    form.fields["database"].choices = _choices(request)  # type: ignore[attr-defined]
    chosen = form.cleaned_data if form.is_bound and form.is_valid() else {}
    database = open_outbox(chosen.get("database") or CONTROL_ALIAS)
    context = {
        **site.each_context(request),
        "title": "Outbox",
        "form": form,
        "database": database,
        "figures": _figures(backlog(database)),
        "events": pending(database, state=chosen.get("state", ""), limit=SHOWN),
        "shown": SHOWN,
        "everything": is_superuser(request),
    }
    return render(request, "staff/outbox.html", context)


def _visible(request: HttpRequest) -> list[str]:
    """The databases whose outboxes the person may see; a tenant's own are for superusers."""
    return outbox_names() if is_superuser(request) else [CONTROL_ALIAS]


def _choices(request: HttpRequest) -> list[tuple[str, str]]:
    away = all_outboxes().unreachable
    return [(name, f"{name} (unreachable)" if name in away else name) for name in _visible(request)]


def _figures(found: Backlog) -> list[dict[str, str]]:
    shown = {
        "Waiting": _counted(found.waiting),
        "In hand": _counted(found.in_hand),
        "Parked": _counted(found.parked),
        "Behind": f"{found.lag_seconds:.0f} s",
    }
    return [{"title": title, "value": value} for title, value in shown.items()]


def _counted(number: int) -> str:
    return f"{intcomma(number)}+" if number >= COUNTED else intcomma(number)


@staff_only
@require_POST
def retry(request: HttpRequest, database: str, event_id: UUID) -> HttpResponse:
    user: Any = request.user
    if database not in _visible(request):
        raise Http404
    try:
        retry_event(event_id=event_id, database=database, actor=staff_actor(user))
        messages.success(request, "The event is handed over again within a second.")
    except DomainError as error:
        messages.error(request, error.message)
    return redirect(f"{reverse('staff-outbox')}?{urlencode({'database': database})}")
