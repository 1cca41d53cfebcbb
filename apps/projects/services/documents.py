"""Writes to documents, in the tenant's context, and their way in and out."""

from __future__ import annotations

import mimetypes
import re
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.http import FileResponse
from django.utils.translation import gettext as _

from apps.access.subjects import Subject
from apps.accounts.services import sharing
from apps.audit import services as audit
from apps.core.clocks import signed_within
from apps.core.names import visible
from apps.tenancy.context import current_tenant_id
from apps.tenancy.transactions import atomic

from ..errors import DocumentNotFound, DocumentTooLarge, DownloadRefused, ProjectNotFound
from ..models import DOCUMENT, Document, Project

SALT = "projects.download"
FORM_BYTES = 2**20  # of what surrounds a file in a form
OCTETS = "application/octet-stream"
# What no browser runs, follows or lays out as a page; a picture in SVG is markup, and markup can carry a script.
PASSIVE = re.compile(
    r"(image/(?!svg)|audio/|video/|text/(plain|csv)\Z|application/(pdf|zip|msword|vnd\.))(?!.*xml\Z)(?!.*html)"
)


def longest_upload() -> int:
    """The bytes of a form with the longest document."""
    return int(settings.DOCUMENT_MAX_BYTES) + FORM_BYTES


def add_document(*, actor: Subject, project: Project, upload: UploadedFile) -> Document:
    """Store an uploaded file. Raises DocumentTooLarge. A file whose row is not committed is removed again."""
    size = upload.size or 0
    if size > settings.DOCUMENT_MAX_BYTES:
        limit = settings.DOCUMENT_MAX_BYTES // (1024 * 1024)
        raise DocumentTooLarge(_("Documents may have up to %(limit)s MB.") % {"limit": limit}, field="file")
    name = visible(upload.name or "")[:255] or "document"
    document = Document(
        project=project,
        name=name,
        content_type=mimetypes.guess_type(name)[0] or OCTETS,
        size_bytes=size,
        created_by_id=actor.user_id,
        file=upload,
    )
    try:
        with atomic():
            document.save()
            sharing.own(actor=actor, resource=document)
            changes = {"name": [None, name], "size_bytes": [None, size]}
            audit.record("document.added", actor=actor, resource=document, changes=changes)
    except BaseException as error:
        document.file.storage.delete(str(document.file.name))
        if isinstance(error, IntegrityError):
            raise ProjectNotFound from error
        raise
    return document


def delete_document(*, actor: Subject, document: Document) -> None:
    name = str(document.file.name)
    with atomic():
        sharing.forget([(DOCUMENT, document.id)])
        audit.record("document.deleted", actor=actor, resource=document, changes={"name": [document.name, None]})
        Document.objects.filter(id=document.id).delete()
    document.file.storage.delete(name)


def open_document(document: Document) -> File:
    """The document's file, opened for reading. Raises DocumentNotFound if it was removed meanwhile."""
    try:
        return document.file.open("rb")
    except FileNotFoundError as error:
        raise DocumentNotFound from error


def download(document: Document) -> FileResponse:
    """The file, to be kept rather than shown: nothing that was uploaded may act in the organization's name.

    Raises DocumentNotFound.
    """
    response = FileResponse(
        open_document(document),
        as_attachment=True,
        filename=document.name,
        content_type=document.content_type if PASSIVE.match(document.content_type) else OCTETS,
    )
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def sign_download(*, document: Document, subject: Subject) -> str:
    """A short-lived proof that this person was offered this document in this organization."""
    return signing.dumps(_claim(document.id, subject.id), salt=SALT)


def check_download(*, document: Document, subject: Subject, signature: str) -> None:
    """Raises DownloadRefused unless the proof is for this document, person and organization, and fresh."""
    try:
        claim = signed_within(signature, salt=SALT, seconds=settings.DOCUMENT_LINK_SECONDS)
    except signing.BadSignature as error:
        raise DownloadRefused from error
    if claim != _claim(document.id, subject.id):
        raise DownloadRefused


def _claim(document_id: UUID, subject_id: str) -> list[str]:
    return [str(current_tenant_id()), str(document_id), subject_id]
