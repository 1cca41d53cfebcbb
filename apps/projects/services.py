"""Writes to projects and documents, in the tenant's context."""

from __future__ import annotations

import mimetypes
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError

from apps.accounts.models import User
from apps.tenancy.context import current_tenant_id
from apps.tenancy.transactions import atomic

from .errors import DocumentNotFound, DocumentTooLarge, DownloadRefused, ProjectNameTaken, ProjectNotFound
from .models import Document, Project

SALT = "projects.download"


def create_project(*, actor: User, name: str, description: str = "") -> Project:
    """Raises ProjectNameTaken."""
    try:
        with atomic():
            return Project.objects.create(name=name, description=description, created_by_id=actor.id)
    except IntegrityError as error:
        raise ProjectNameTaken(field="name") from error


def update_project(*, project: Project, name: str, description: str) -> Project:
    """Raises ProjectNameTaken, and ProjectNotFound if it was deleted meanwhile."""
    try:
        with atomic():
            locked = Project.objects.select_for_update().filter(id=project.id).first()
            if locked is None:
                raise ProjectNotFound
            locked.name, locked.description = name, description
            locked.save(update_fields=["name", "description", "updated_at"])
            return locked
    except IntegrityError as error:
        raise ProjectNameTaken(field="name") from error


def delete_project(*, project: Project) -> None:
    """Delete a project with its documents; the files go once that is committed."""
    with atomic():
        Project.objects.select_for_update().filter(id=project.id).first()  # nobody adds a document from here on
        names = list(Document.objects.filter(project=project).values_list("file", flat=True))
        Project.objects.filter(id=project.id).delete()
    for name in names:
        Document._meta.get_field("file").storage.delete(name)


def add_document(*, actor: User, project: Project, upload: UploadedFile) -> Document:
    """Store an uploaded file. Raises DocumentTooLarge. A file whose row is not committed is removed again."""
    size = upload.size or 0
    if size > settings.DOCUMENT_MAX_BYTES:
        limit = settings.DOCUMENT_MAX_BYTES // (1024 * 1024)
        raise DocumentTooLarge(f"Documents may have up to {limit} MB.", field="file")
    name = (upload.name or "document")[:255]
    document = Document(
        project=project,
        name=name,
        content_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
        size_bytes=size,
        created_by_id=actor.id,
        file=upload,
    )
    try:
        with atomic():
            document.save()
    except BaseException as error:
        document.file.storage.delete(str(document.file.name))
        if isinstance(error, IntegrityError):
            raise ProjectNotFound from error
        raise
    return document


def delete_document(*, document: Document) -> None:
    name = str(document.file.name)
    with atomic():
        Document.objects.filter(id=document.id).delete()
    document.file.storage.delete(name)


def open_document(document: Document) -> File:
    """The document's file, opened for reading. Raises DocumentNotFound if it was removed meanwhile."""
    try:
        return document.file.open("rb")
    except FileNotFoundError as error:
        raise DocumentNotFound from error


def sign_download(*, document: Document, user: User) -> str:
    """A short-lived proof that this person was offered this document in this organization."""
    return signing.dumps(_claim(document.id, user.id), salt=SALT)


def check_download(*, document: Document, user: User, signature: str) -> None:
    """Raises DownloadRefused unless the proof is for this document, person and organization, and fresh."""
    try:
        claim = signing.loads(signature, salt=SALT, max_age=settings.DOCUMENT_LINK_SECONDS)
    except signing.BadSignature as error:
        raise DownloadRefused from error
    if claim != _claim(document.id, user.id):
        raise DownloadRefused


def _claim(document_id: UUID, user_id: UUID) -> list[str]:
    return [str(current_tenant_id()), str(document_id), str(user_id)]
