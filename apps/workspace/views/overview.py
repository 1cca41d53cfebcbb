"""The organization's front page."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.access.guards import requires
from apps.access.permissions import AUDIT_VIEW, ORGANIZATION_READ
from apps.accounts.requests import TenantRequest
from apps.projects.selectors import projects_for

from .. import selectors

RECENT = 6


@requires(ORGANIZATION_READ)
@require_safe
def overview(request: TenantRequest) -> HttpResponse:
    subject = request.subject
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
        context["events"] = selectors.recent_events(subject, RECENT)
    return render(request, "workspace/overview.html", context)
