"""Finding things, from every page."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.access.guards import requires
from apps.access.permissions import ORGANIZATION_READ
from apps.accounts.requests import TenantRequest
from apps.core.http import searched

from .. import selectors
from ..navigation import ACCOUNT, MAIN, links
from ..selectors import SearchHit


@requires(ORGANIZATION_READ)
@require_safe
def search(request: TenantRequest) -> HttpResponse:
    """Pages, projects, documents and members with the text; in the palette only the results are shown."""
    subject, text = request.subject, searched(request)
    pages = links((*MAIN, *ACCOUNT), subject.permissions, request.path)
    groups = {
        _("Pages"): [SearchHit(p.label, _("Page"), p.icon, p.url) for p in pages if selectors.matches(p.label, text)]
    }
    if text:
        groups[_("Projects")] = selectors.projects_found(subject, text)
        groups[_("Documents")] = selectors.documents_found(subject, text)
        groups[_("Members")] = selectors.members_found(subject, text)
    context = {"groups": groups, "found": any(groups.values()), "text": text}
    return render(request, "workspace/search.html", context)
