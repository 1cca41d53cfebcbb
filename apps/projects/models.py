"""The example product: projects and the documents in them."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID, uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.tenancy.constraints import TenantForeignKey
from apps.tenancy.models import TenantModel

PROJECT, DOCUMENT = "project", "document"


class CustomField(TenantModel):
    """A field that an organization adds to its projects."""

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        BOOLEAN = "boolean", _("Boolean")
        CHOICE = "choice", _("Choice")

    key = models.CharField(max_length=40)
    label = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    required = models.BooleanField(default=False)
    choices = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["created_at", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["tenant_id", "key"], name="projects_customfield_key"),
        ]

    def __str__(self) -> str:
        return self.label


class Project(TenantModel):
    """``is_private`` hides it from everybody but those it is shared with, owners and admins."""

    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, max_length=5000)
    is_private = models.BooleanField(default=False)
    custom_fields = models.JSONField(default=dict)
    created_by_id = models.UUIDField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            # Among those that everybody sees: a name that is taken must not tell of one that is private.
            models.UniqueConstraint(
                fields=["tenant_id", "name"], condition=Q(is_private=False), name="projects_project_public_name"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "-created_at", "-id"], name="projects_project_newest"),
            models.Index(fields=["tenant_id", "-updated_at", "-id"], name="projects_project_changed"),
        ]

    def __str__(self) -> str:
        return self.name

    def share_keys(self) -> list[tuple[str, UUID]]:
        return [(PROJECT, self.id)]

    def parts(self) -> models.QuerySet[Document]:
        """What is seen by whoever sees this, and can be shared by itself."""
        return Document.objects.filter(project_id=self.id)

    def whole(self) -> None:
        """What this is a part of."""


class SearchTerm(TenantModel):
    """A word of a project's name or description.

    Found by comparison, which row-level security lets an index serve; LIKE and text search it does not.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="terms", db_constraint=False, db_index=False)
    term = models.CharField(max_length=60, db_collation="C")

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="project", name="projects_searchterm_project"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant_id", "term"], name="projects_searchterm_term", include=["project"]),
            models.Index(fields=["tenant_id", "project"], name="projects_searchterm_of"),
        ]

    def __str__(self) -> str:
        return self.term


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

    @property
    def is_private(self) -> bool:
        return bool(self.project.is_private)

    def share_keys(self) -> list[tuple[str, UUID]]:
        """Shared by itself, or through its project."""
        return [(DOCUMENT, self.id), (PROJECT, self.project_id)]

    def parts(self) -> models.QuerySet[Document]:
        return Document.objects.none()

    def whole(self) -> Project:
        return self.project
