"""The organization's audit log, and whether anybody has tampered with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.access.guards import requires
from apps.access.permissions import AUDIT_VIEW
from apps.access.subjects import Subject
from apps.accounts.requests import TenantRequest
from apps.accounts.selectors import search_members
from apps.audit.chain import Chain, control_chain, tenant_chain
from apps.audit.paging import Page
from apps.audit.selectors import Filters
from apps.audit.verification import ChainReport, verify_logs_of
from apps.core.errors import DomainError
from apps.core.forms import status_of
from apps.core.http import searched
from apps.core.pages import PER_PAGE

from ..audit_lines import lines_of
from ..audit_reading import page_for
from ..ended_accesses import page_of_endings
from ..forms.audit import AuditFilterForm

SUGGESTED = 10
NOTHING = Page([], "", "")


@requires(AUDIT_VIEW)
@require_safe
def audit_log(request: TenantRequest) -> HttpResponse:
    """A page of the log; while it is live, htmx asks for the rows that came since the newest one."""
    subject = request.subject
    live, after = "live" in request.GET, request.GET.get("after", "")
    is_tail = bool(request.htmx) and live and bool(after)
    form = AuditFilterForm(request.GET, tenant_id=subject.tenant_id)
    filters = form.filters if form.is_valid() else Filters()
    page = _page(subject, request, filters) if form.is_valid() else NOTHING
    context = {
        "lines": lines_of(subject.tenant_id, page.entries),
        "live": live and not request.GET.get("before"),
        "tail": _query(request, live=1, after=page.newest or after),
    }
    if is_tail:
        return render(request, "audit/rows.html", context)
    context |= {"form": form, "logs": _logs(subject), **_links(request, page, filters)}
    return render(request, "audit/log.html", context, status=status_of(form))


@requires(AUDIT_VIEW)
@require_safe
def ended_accesses(request: TenantRequest) -> HttpResponse:
    """Which accesses have ended, whose, when and why."""
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    page, endings = page_of_endings(request.subject, page_size=PER_PAGE, before=before, after=after)
    links = {
        "older": f"?{urlencode({'before': page.older})}" if page.older else "",
        "newer": f"?{urlencode({'after': page.newer})}" if page.newer else "",
    }
    return render(request, "audit/ended.html", {"endings": endings, **links})


@requires(AUDIT_VIEW)
@require_safe
def suggest_people(request: TenantRequest) -> HttpResponse:
    """Members whom somebody may mean who types into the filter."""
    text = searched(request, "person")
    people = search_members(request.subject.tenant_id, text)[:SUGGESTED] if text else []
    return render(request, "audit/people.html", {"people": people})


@requires(AUDIT_VIEW)
@require_POST
def verify_chain(request: TenantRequest) -> HttpResponse:
    """Walk both chains of the organization now, and show what was found."""
    subject = request.subject
    context: dict[str, Any] = {"refusal": ""}
    reports: list[ChainReport] = []
    try:
        reports = verify_logs_of(subject.tenant_id)
    except DomainError as error:
        context["refusal"] = error.message
    return render(request, "audit/verification.html", {**context, "logs": _logs(subject, reports)})


@dataclass(frozen=True)
class Log:
    """How far one of the two logs is sealed, and what verifying it has found."""

    title: str
    number: int
    sealed_at: datetime | None
    report: ChainReport | None


def _logs(subject: Subject, reports: list[ChainReport] | None = None) -> list[Log]:
    def log(title: str, chain: Chain) -> Log:
        report = next((r for r in reports or [] if r.chain == chain.kind.value), None)
        return Log(title, *chain.sealed(), report)

    inside, about = tenant_chain(), control_chain(subject.tenant_id)
    return [log(_("Inside the organization"), inside), log(_("About it and its people"), about)]


def _page(subject: Subject, request: TenantRequest, filters: Filters) -> Page:
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    return page_for(subject, page_size=PER_PAGE, before=before, after=after, **filters)


def _links(request: TenantRequest, page: Page, filters: Filters) -> dict[str, str]:
    return {
        "older": _query(request, before=page.older) if page.older else "",
        "newer": _query(request, after=page.newer) if page.newer else "",
        "export": urlencode({k: v.isoformat() if isinstance(v, datetime) else str(v) for k, v in filters.items()}),
        "follow": _query(request, live=1),
        "unfollow": _query(request),
    }


def _query(request: TenantRequest, **position: Any) -> str:
    """The same filters at another position."""
    asked = {name: request.GET[name] for name in AuditFilterForm.base_fields if request.GET.get(name)}
    return f"?{urlencode({**asked, **position})}"
