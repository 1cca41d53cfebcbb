"""Finding things, from every page."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.access.guards import requires
from apps.access.permissions import ORGANIZATION_READ
from apps.access.search import SearchHit, hits_by_heading
from apps.accounts.requests import TenantRequest
from apps.core.http import searched
from apps.core.text import folded

from ..navigation import ACCOUNT, MAIN, links


@requires(ORGANIZATION_READ)
@require_safe
def search(request: TenantRequest) -> HttpResponse:
    """Pages, and whatever apps have declared, with the text; in the palette only the results are shown."""
    text = searched(request)
    groups = {_("Pages"): _pages(request, text)}
    if text:
        groups |= dict(hits_by_heading(request.subject, text))
    context = {"groups": groups, "found": any(groups.values()), "text": text}
    return render(request, "workspace/search.html", context)


def _pages(request: TenantRequest, text: str) -> list[SearchHit]:
    pages = links((*MAIN, *ACCOUNT), request.subject.permissions, request.path)
    meant = folded(text)
    named = [page for page in pages if meant in folded(page.label)] if meant or not text else []
    return [SearchHit(page.label, _("Page"), page.icon, page.url) for page in named]
