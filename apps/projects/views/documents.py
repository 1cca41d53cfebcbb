"""Uploading, fetching and removing the documents of a project."""

from __future__ import annotations

from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.access.bodies import bodies_up_to
from apps.access.decisions import authorize
from apps.access.guards import requires
from apps.access.permissions import PROJECTS_READ, PROJECTS_WRITE
from apps.accounts.requests import TenantRequest
from apps.core.forms import blaming, done

from ..forms import DocumentForm
from ..models import Document, Project
from ..selectors import find_document, find_project
from ..services import documents
from .projects import detail


@bodies_up_to(documents.longest_upload)
@requires(PROJECTS_WRITE, on=find_project)
@require_POST
def document_upload(request: TenantRequest, project: Project) -> HttpResponse:
    form = DocumentForm(request.POST, request.FILES)
    if form.is_valid():
        with blaming(form):
            document = documents.add_document(actor=request.subject, project=project, upload=form.cleaned_data["file"])
            return done(
                request, _("%(name)s is uploaded.") % {"name": document.name}, "projects:detail", project_id=project.id
            )
    return detail(request, project, form)


@requires(PROJECTS_READ, on=find_document)
@require_safe
def document_link(request: TenantRequest, document: Document) -> HttpResponse:
    """Check that the member may have the document, and send them to its signed address."""
    signature = documents.sign_download(document=document, subject=request.subject)
    address = reverse("projects:document-download", args=[document.project_id, document.id])
    return redirect(f"{address}?{urlencode({'signature': signature})}")


@requires(PROJECTS_READ, on=find_document)
@require_safe
def document_download(request: TenantRequest, document: Document) -> FileResponse:
    signature = request.GET.get("signature", "")
    documents.check_download(document=document, subject=request.subject, signature=signature)
    return documents.download(document)


@requires(PROJECTS_WRITE, on=find_document)
@require_POST
def document_delete(request: TenantRequest, document: Document) -> HttpResponse:
    subject, project = request.subject, document.project
    documents.delete_document(actor=subject, document=document)
    removed = _("%(name)s is removed.") % {"name": document.name}
    if not authorize(subject, PROJECTS_READ, project):  # they had the document alone
        return done(request, removed, "projects:list")
    return done(request, removed, "projects:detail", project_id=project.id)
