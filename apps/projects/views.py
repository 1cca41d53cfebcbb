"""Pages for projects and their documents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import requires
from apps.accounts.permissions import PROJECTS_DELETE, PROJECTS_READ, PROJECTS_WRITE
from apps.core.errors import DomainError

from . import selectors, services
from .forms import DocumentForm, ProjectForm

PER_PAGE = 25


@requires(PROJECTS_READ)
@require_safe
def project_list(request: Any) -> HttpResponse:
    projects = Paginator(selectors.projects_with_document_counts(request.user), PER_PAGE)
    return render(request, "projects/list.html", {"page": projects.get_page(request.GET.get("page"))})


@requires(PROJECTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def project_create(request: Any) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = services.create_project(actor=request.user, **form.cleaned_data)
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    return _form(request, "projects/form.html", form)


@requires(PROJECTS_READ)
@require_safe
def project_detail(request: Any, project_id: UUID) -> HttpResponse:
    return _detail(request, project_id, DocumentForm())


@requires(PROJECTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def project_edit(request: Any, project_id: UUID) -> HttpResponse:
    project = selectors.get_project_for(request.user, project_id)
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_project(project=project, **form.cleaned_data)
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    return _form(request, "projects/form.html", form, project=project)


@requires(PROJECTS_DELETE)
@require_http_methods(["GET", "HEAD", "POST"])
def project_delete(request: Any, project_id: UUID) -> HttpResponse:
    project = selectors.get_project_for(request.user, project_id)
    if request.method == "POST":
        services.delete_project(project=project)
        return redirect("projects:list")
    return render(request, "projects/delete.html", {"project": project})


@requires(PROJECTS_WRITE)
@require_POST
def document_upload(request: Any, project_id: UUID) -> HttpResponse:
    project = selectors.get_project_for(request.user, project_id)
    form = DocumentForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            services.add_document(actor=request.user, project=project, upload=form.cleaned_data["file"])
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            form.add_error(error.field or None, error.message)
    return _detail(request, project_id, form)


@requires(PROJECTS_READ)
@require_safe
def document_link(request: Any, project_id: UUID, document_id: UUID) -> HttpResponse:
    """Check that the member may have the document, and send them to its signed address."""
    document = selectors.get_document_for(request.user, project_id, document_id)
    signature = services.sign_download(document=document, user=request.user)
    address = reverse("projects:document-download", args=[project_id, document_id])
    return redirect(f"{address}?{urlencode({'signature': signature})}")


@requires(PROJECTS_READ)
@require_safe
def document_download(request: Any, project_id: UUID, document_id: UUID) -> FileResponse:
    document = selectors.get_document_for(request.user, project_id, document_id)
    services.check_download(document=document, user=request.user, signature=request.GET.get("signature", ""))
    file = services.open_document(document)
    return FileResponse(file, as_attachment=True, filename=document.name, content_type=document.content_type)


@requires(PROJECTS_WRITE)
@require_POST
def document_delete(request: Any, project_id: UUID, document_id: UUID) -> HttpResponse:
    document = selectors.get_document_for(request.user, project_id, document_id)
    services.delete_document(document=document)
    return redirect("projects:detail", project_id=project_id)


def _detail(request: Any, project_id: UUID, form: DocumentForm) -> HttpResponse:
    project = selectors.get_project_for(request.user, project_id)
    context = {"project": project, "documents": selectors.documents_of(project), "form": form}
    return render(request, "projects/detail.html", context, status=_status(form))


def _form(request: HttpRequest, template: str, form: forms.BaseForm, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=_status(form))


def _status(form: forms.BaseForm) -> int:
    return 422 if form.errors else 200
