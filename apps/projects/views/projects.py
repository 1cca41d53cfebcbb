"""Pages for projects."""

from __future__ import annotations

from copy import copy

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.decisions import authorize
from apps.access.guards import requires
from apps.access.permissions import PROJECTS_DELETE, PROJECTS_LIST, PROJECTS_READ, PROJECTS_SHARE, PROJECTS_WRITE
from apps.accounts.requests import TenantRequest
from apps.accounts.selectors import names_of
from apps.core.forms import blaming, done, editing, form_page, posted, status_of
from apps.core.http import searched
from apps.core.pages import page_of

from .. import selectors
from ..forms import DocumentForm, ProjectForm
from ..models import Document, Project
from ..selectors import find_project
from ..services import projects


@requires(PROJECTS_LIST)
@require_safe
def project_list(request: TenantRequest) -> HttpResponse:
    text = searched(request)
    rows = selectors.search(selectors.projects_with_document_counts(request.subject), text)
    return render(request, "projects/list.html", {"page": page_of(request, rows), "text": text})


@requires(PROJECTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def project_create(request: TenantRequest) -> HttpResponse:
    form = ProjectForm(posted(request), custom_fields=selectors.custom_fields())
    if form.is_valid():
        with blaming(form):
            project = projects.create_project(actor=request.subject, **form.wanted)
            return redirect("projects:detail", project_id=project.id)
    return form_page(request, "projects/form.html", form)


@requires(PROJECTS_READ, on=find_project)
@require_safe
def project_detail(request: TenantRequest, project: Project) -> HttpResponse:
    return detail(request, project, DocumentForm())


@requires(PROJECTS_WRITE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_edit(request: TenantRequest, project: Project) -> HttpResponse:
    filled_in = copy(project)  # a form writes what may be wrong into it; the page names the project as it is
    may_share = bool(authorize(request.subject, PROJECTS_SHARE, project))
    losers = selectors.losers_of(project) if may_share and not project.is_private else []
    form = ProjectForm(
        posted(request),
        instance=filled_in,
        custom_fields=selectors.custom_fields(),
        may_share=may_share,
        may_name=project.is_private or bool(authorize(request.subject, PROJECTS_READ)),
        losers=losers,
    )
    form = editing(form, project)
    if form.is_valid():
        with blaming(form):
            projects.update_project(actor=request.subject, project=project, **form.wanted)
            return done(request, _("The project is changed."), "projects:detail", project_id=project.id)
    return form_page(request, "projects/form.html", form, project=project)


@requires(PROJECTS_DELETE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_delete(request: TenantRequest, project: Project) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            projects.delete_project(actor=request.subject, project=project)
            return done(request, _("%(name)s is deleted.") % {"name": project.name}, "projects:list")
    return form_page(request, "projects/delete.html", form, project=project)


def detail(request: TenantRequest, project: Project, form: DocumentForm) -> HttpResponse:
    """The page of one project, with the form for its documents."""
    subject = request.subject
    documents = list(selectors.documents_of(project))
    things: list[Project | Document] = [project, *documents]
    people = {thing.created_by_id for thing in things if thing.created_by_id}
    context = {
        "project": project,
        "documents": documents,
        "names": names_of(subject.tenant_id, people),
        "values": selectors.shown_values(project),
        "form": form,
        "may": selectors.allowed_on(subject, project),
    }
    return render(request, "projects/detail.html", context, status=status_of(form))
