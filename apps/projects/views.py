"""Pages for projects and their documents."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import requires, subject_of
from apps.accounts.permissions import PROJECTS_DELETE, PROJECTS_LIST, PROJECTS_READ, PROJECTS_WRITE
from apps.core.errors import DomainError

from . import selectors
from .forms import DocumentForm, ProjectForm
from .models import Document, Project
from .selectors import find_document, find_project
from .services import documents, projects

PER_PAGE = 25


@requires(PROJECTS_LIST)
@require_safe
def project_list(request: Any) -> HttpResponse:
    rows = Paginator(selectors.projects_with_document_counts(_subject(request)), PER_PAGE)
    return render(request, "projects/list.html", {"page": rows.get_page(request.GET.get("page"))})


@requires(PROJECTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def project_create(request: Any) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = projects.create_project(actor=_subject(request), **form.cleaned_data)
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            _blame(form, error)
    return _form(request, "projects/form.html", form)


@requires(PROJECTS_READ, on=find_project)
@require_safe
def project_detail(request: Any, project: Project) -> HttpResponse:
    return _detail(request, project, DocumentForm())


@requires(PROJECTS_WRITE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_edit(request: Any, project: Project) -> HttpResponse:
    form = ProjectForm(request.POST or None, instance=project)
    if request.method == "POST" and form.is_valid():
        try:
            projects.update_project(actor=_subject(request), project=project, **form.cleaned_data)
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            _blame(form, error)
    return _form(request, "projects/form.html", form, project=project)


@requires(PROJECTS_DELETE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_delete(request: Any, project: Project) -> HttpResponse:
    if request.method == "POST":
        projects.delete_project(actor=_subject(request), project=project)
        return redirect("projects:list")
    return render(request, "projects/delete.html", {"project": project})


@requires(PROJECTS_WRITE, on=find_project)
@require_POST
def document_upload(request: Any, project: Project) -> HttpResponse:
    form = DocumentForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            documents.add_document(actor=_subject(request), project=project, upload=form.cleaned_data["file"])
            return redirect("projects:detail", project_id=project.id)
        except DomainError as error:
            _blame(form, error)
    return _detail(request, project, form)


@requires(PROJECTS_READ, on=find_document)
@require_safe
def document_link(request: Any, document: Document) -> HttpResponse:
    """Check that the member may have the document, and send them to its signed address."""
    signature = documents.sign_download(document=document, subject=_subject(request))
    address = reverse("projects:document-download", args=[document.project_id, document.id])
    return redirect(f"{address}?{urlencode({'signature': signature})}")


@requires(PROJECTS_READ, on=find_document)
@require_safe
def document_download(request: Any, document: Document) -> FileResponse:
    signature = request.GET.get("signature", "")
    documents.check_download(document=document, subject=_subject(request), signature=signature)
    file = documents.open_document(document)
    return FileResponse(file, as_attachment=True, filename=document.name, content_type=document.content_type)


@requires(PROJECTS_WRITE, on=find_document)
@require_POST
def document_delete(request: Any, document: Document) -> HttpResponse:
    documents.delete_document(actor=_subject(request), document=document)
    return redirect("projects:detail", project_id=document.project_id)


def _subject(request: Any) -> Any:
    return subject_of(request)


def _blame(form: forms.BaseForm, error: DomainError) -> None:
    form.add_error(error.field if error.field in form.fields else None, error.message)


def _detail(request: Any, project: Project, form: DocumentForm) -> HttpResponse:
    may = selectors.allowed_on(_subject(request), project)
    context = {"project": project, "documents": selectors.documents_of(project), "form": form, "may": may}
    return render(request, "projects/detail.html", context, status=_status(form))


def _form(request: HttpRequest, template: str, form: forms.BaseForm, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=_status(form))


def _status(form: forms.BaseForm) -> int:
    return 422 if form.errors else 200
