"""The example product: projects and the documents in them."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.db import models

from apps.tenancy.constraints import TenantForeignKey
from apps.tenancy.models import TenantModel


class Project(TenantModel):
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=5000)
    created_by_id = models.UUIDField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "name"], name="projects_project_name"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "-created_at", "-id"], name="projects_project_newest"),
        ]

    def __str__(self) -> str:
        return self.name


def storage_name(document: Document, filename: str) -> str:
    """A file name that nobody chose, inside the tenant's folder."""
    return f"documents/{uuid4().hex}"


class Document(TenantModel):
    project = models.ForeignKey(Project, models.CASCADE, related_name="documents", db_constraint=False, db_index=False)
    name = models.CharField(max_length=255)
    file = models.FileField(upload_to=storage_name, max_length=100)
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    created_by_id = models.UUIDField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="project", name="projects_document_project"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "project", "-created_at"], name="projects_document_newest"),
        ]

    def __str__(self) -> str:
        return self.name
