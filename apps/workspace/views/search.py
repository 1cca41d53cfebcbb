"""Finding things, from every page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.access.guards import requires, subject_of
from apps.access.permissions import ORGANIZATION_READ

from .. import selectors
from ..navigation import ACCOUNT, MAIN, entries
from ..selectors import Hit


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


def _subject(request: HttpRequest) -> Any:
    return subject_of(request)
