"""The organization's front page, finding things, and how pages look."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import public, requires, subject_of
from apps.accounts.permissions import AUDIT_VIEW, ORGANIZATION_READ
from apps.core.theme import THEME_COOKIE, THEME_SECONDS, THEMES
from apps.projects.selectors import projects_for

from . import selectors
from .forms import SpecimenForm
from .navigation import ACCOUNT, MAIN, entries
from .selectors import Hit

RECENT = 6


@requires(ORGANIZATION_READ)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    subject = _subject(request)
    project_count = projects_for(subject).count()
    document_count, size = selectors.storage_of(subject)
    people, invited = selectors.people_count(subject.tenant_id)
    context: dict[str, Any] = {
        "projects": project_count,
        "documents": document_count,
        "size": size,
        "people": people,
        "invited": invited,
        "steps": selectors.steps(subject, projects=project_count, documents=document_count, people=people + invited),
        "latest": projects_for(subject)[:RECENT],
    }
    if AUDIT_VIEW in subject.permissions:
        context["activity"] = selectors.activity(subject.tenant_id)
        context["events"] = selectors.recent_events(subject.tenant_id, RECENT)
    return render(request, "workspace/overview.html", context)


@requires(ORGANIZATION_READ)
@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Pages, projects, documents and members with the text; in the palette only the results are shown."""
    subject, text = _subject(request), request.GET.get("q", "").strip().replace("\x00", "")[:100]
    places = entries((*MAIN, *ACCOUNT), subject.permissions, request.path)
    groups = {_("Pages"): [Hit(p.label, _("Page"), p.icon, p.url) for p in places if selectors.matches(p.label, text)]}
    if text:
        groups[_("Projects")] = selectors.projects_found(subject, text)
        groups[_("Documents")] = selectors.documents_found(subject, text)
        groups[_("Members")] = selectors.members_found(subject, text)
    context = {"groups": groups, "found": any(groups.values()), "text": text}
    return render(request, "workspace/search.html", context)


@public("how pages look is everybody's own choice")
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
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
def components(request: HttpRequest) -> HttpResponse:
    """Every component of the pages, on one page."""
    values = [(f"{day} Nov", float(day * 37 % 23 + day)) for day in range(1, 21)]
    tabs = [{"label": label, "url": f"#{label}", "is_current": label == "First"} for label in ("First", "Second")]
    form = SpecimenForm({"name": "", "agreed": True})
    return render(request, "workspace/components.html", {"values": values, "tabs": tabs, "form": form})


def _subject(request: HttpRequest) -> Any:
    return subject_of(request)
