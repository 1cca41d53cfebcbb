"""Reads about projects; each takes the member who asks."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, QuerySet

from apps.accounts.access import check
from apps.accounts.models import User
from apps.accounts.permissions import PROJECTS_READ

from .errors import DocumentNotFound, ProjectNotFound
from .models import Document, Project


def projects_for(user: User) -> QuerySet[Project]:
    """The projects a member may see."""
    check(user, PROJECTS_READ)
    return Project.objects.all()


def projects_with_document_counts(user: User) -> QuerySet[Project]:
    return projects_for(user).annotate(document_count=Count("documents")).order_by("-created_at", "-id")


def get_project_for(user: User, project_id: UUID) -> Project:
    project = projects_for(user).filter(id=project_id).first()
    if project is None:
        raise ProjectNotFound
    return project


def documents_of(project: Project) -> QuerySet[Document]:
    return Document.objects.filter(project=project)


def get_document_for(user: User, project_id: UUID, document_id: UUID) -> Document:
    project = get_project_for(user, project_id)
    document = documents_of(project).filter(id=document_id).first()
    if document is None:
        raise DocumentNotFound
    return document
