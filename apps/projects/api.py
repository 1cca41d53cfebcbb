"""The API of projects, their documents, whom they are shared with, and their custom fields."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.list_query import Filter, ListQuery
from apps.access.models import Share
from apps.access.permissions import (
    ORGANIZATION_READ,
    PROJECTS_DELETE,
    PROJECTS_LIST,
    PROJECTS_READ,
    PROJECTS_SHARE,
    PROJECTS_WRITE,
    SETTINGS_MANAGE,
    Relation,
)
from apps.access.resources import ResourceView, allow
from apps.accounts.services import sharing
from apps.core.api_fields import LinesField, NameField
from apps.core.row_serializers import ModelSerializer

from . import selectors
from .models import CustomField, Document, Project
from .services import custom_fields, documents, projects

BULK_MAX = 100


class ProjectSerializer(ModelSerializer[Project]):
    name = NameField(max_length=120)
    description = LinesField(max_length=5000, allow_blank=True, required=False)
    custom_fields = serializers.DictField(required=False)

    class Meta:
        model = Project
        fields = (
            "id",
            "name",
            "description",
            "is_private",
            "custom_fields",
            "created_by_id",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_by_id", "created_at", "updated_at")
        validators: ClassVar[list[Any]] = []  # uniqueness is the database's to say


class ProjectsSerializer(serializers.Serializer[Any]):
    items: Any = ProjectSerializer(many=True, min_length=1, max_length=BULK_MAX)  # type: ignore[call-arg]


class DocumentSerializer(ModelSerializer[Document]):
    class Meta:
        model = Document
        fields = ("id", "project_id", "name", "content_type", "size_bytes", "created_by_id", "created_at")
        read_only_fields = fields


class UploadSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(max_length=255, allow_empty_file=False)


class ShareSerializer(ModelSerializer[Share]):
    class Meta:
        model = Share
        fields = ("user_id", "relation", "created_by_id", "created_at")
        read_only_fields = ("user_id", "created_by_id", "created_at")


class RelationSerializer(serializers.Serializer[Any]):
    relation = serializers.ChoiceField(choices=Relation.choices)


class CustomFieldSerializer(ModelSerializer[CustomField]):
    key = serializers.RegexField(r"^[a-z][a-z0-9_]{0,39}\Z", max_length=40)
    label: Any = NameField(max_length=80)
    choices = serializers.ListField(child=NameField(max_length=80), max_length=50, required=False)

    class Meta:
        model = CustomField
        fields = ("id", "key", "label", "kind", "required", "choices", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        validators: ClassVar[list[Any]] = []


class CustomFieldChangesSerializer(CustomFieldSerializer):
    class Meta(CustomFieldSerializer.Meta):
        fields = ("label", "required", "choices")  # type: ignore[assignment]


PROJECTS = ListQuery(
    filters={
        "search": Filter(
            serializers.CharField(
                required=False,
                allow_blank=True,
                max_length=200,
                help_text="Words that begin words of the name or description.",
            ),
            by=selectors.search,
        ),
        "is_private": Filter(serializers.BooleanField(required=False), by="is_private"),
        "created_by": Filter(serializers.UUIDField(required=False), by="created_by_id"),
        "created_after": Filter(serializers.DateTimeField(required=False), by="created_at__gte"),
        "created_before": Filter(serializers.DateTimeField(required=False), by="created_at__lt"),
    },
    orderings=("-created_at", "created_at", "-updated_at", "updated_at", "name", "-name"),
)


def _as_arguments(content: dict[str, Any]) -> dict[str, Any]:
    if "custom_fields" in content:
        content["values"] = content.pop("custom_fields")
    return content


class ProjectsView(ResourceView):
    """The organization's projects that the caller may see, newest first; create one."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=PROJECTS_LIST, POST=PROJECTS_WRITE)
    query = PROJECTS
    queryset = Project.objects.none()

    @extend_schema(responses=ProjectSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.projects_for(self.subject), ProjectSerializer)

    @extend_schema(request=ProjectSerializer, responses={201: ProjectSerializer})
    def post(self, request: Request) -> Response:
        project = projects.create_project(actor=self.subject, **_as_arguments(self.valid(ProjectSerializer)))
        return self.answer(ProjectSerializer, project, status=status.HTTP_201_CREATED)


class BulkProjectsView(ResourceView):
    """Create up to 100 projects: all of them or none."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=PROJECTS_WRITE)

    @extend_schema(request=ProjectsSerializer, responses={201: ProjectsSerializer})
    def post(self, request: Request) -> Response:
        items = [_as_arguments(dict(item)) for item in self.valid(ProjectsSerializer)["items"]]
        created = projects.create_projects(actor=self.subject, items=items)
        return Response({"items": ProjectSerializer(created, many=True).data}, status=status.HTTP_201_CREATED)


class ProjectView(ResourceView):
    """One project."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=PROJECTS_READ, PATCH=PROJECTS_WRITE, DELETE=PROJECTS_DELETE
    )
    finder = staticmethod(selectors.find_project)
    versioned = True

    @extend_schema(responses=ProjectSerializer)
    def get(self, request: Request, project_id: UUID) -> Response:
        return self.answer(ProjectSerializer, self.resource)

    @extend_schema(request=ProjectSerializer(partial=True), responses=ProjectSerializer)
    def patch(self, request: Request, project_id: UUID) -> Response:
        changes = _as_arguments(self.valid(ProjectSerializer, partial=True))
        project = projects.update_project(actor=self.subject, project=self.resource, expected=self.expected, **changes)
        return self.answer(ProjectSerializer, project)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, project_id: UUID) -> Response:
        projects.delete_project(actor=self.subject, project=self.resource, expected=self.expected)
        return Response(status=status.HTTP_204_NO_CONTENT)


class DocumentsView(ResourceView):
    """A project's documents; upload one."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=PROJECTS_READ, POST=PROJECTS_WRITE)
    finder = staticmethod(selectors.find_project)
    parser_classes = (MultiPartParser,)
    body_limit = staticmethod(documents.longest_upload)
    queryset = Document.objects.none()

    @extend_schema(responses=DocumentSerializer(many=True))
    def get(self, request: Request, project_id: UUID) -> Response:
        return self.listed(selectors.documents_of(self.resource), DocumentSerializer)

    @extend_schema(request={"multipart/form-data": UploadSerializer}, responses={201: DocumentSerializer})
    def post(self, request: Request, project_id: UUID) -> Response:
        upload = self.valid(UploadSerializer)["file"]
        document = documents.add_document(actor=self.subject, project=self.resource, upload=upload)
        return self.answer(DocumentSerializer, document, status=status.HTTP_201_CREATED)


class DocumentView(ResourceView):
    """One document."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=PROJECTS_READ, DELETE=PROJECTS_WRITE)
    finder = staticmethod(selectors.find_document)

    @extend_schema(responses=DocumentSerializer)
    def get(self, request: Request, project_id: UUID, document_id: UUID) -> Response:
        return self.answer(DocumentSerializer, self.resource)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, project_id: UUID, document_id: UUID) -> Response:
        documents.delete_document(actor=self.subject, document=self.resource)
        return Response(status=status.HTTP_204_NO_CONTENT)


class DocumentContentView(ResourceView):
    """The file itself."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=PROJECTS_READ)
    media_types = ("*/*",)
    finder = staticmethod(selectors.find_document)

    @extend_schema(responses={(200, "*/*"): OpenApiResponse(response=bytes)})
    def get(self, request: Request, project_id: UUID, document_id: UUID) -> HttpResponseBase:
        return documents.download(self.resource)


class SharesView(ResourceView):
    """Whom a project is shared with."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=PROJECTS_READ)
    finder: ClassVar[Any] = staticmethod(selectors.find_project)
    queryset = Share.objects.none()

    @extend_schema(responses=ShareSerializer(many=True))
    def get(self, request: Request, **ids: UUID) -> Response:
        return self.listed(selectors.shares_of(self.resource), ShareSerializer)


class ShareView(ResourceView):
    """One member's relation to a project."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(PUT=PROJECTS_SHARE, DELETE=PROJECTS_SHARE)

    @staticmethod
    def finder(subject: Any, **ids: UUID) -> Project | Document:
        return selectors.find_project(subject, ids["project_id"])

    def at_address(self) -> Any:
        return selectors.shares_of(self.resource).filter(user_id=self.kwargs["user_id"]).first()

    @extend_schema(request=RelationSerializer, responses=ShareSerializer)
    def put(self, request: Request, user_id: UUID, **ids: UUID) -> Response:
        relation = self.valid(RelationSerializer)["relation"]
        share = sharing.share(actor=self.subject, resource=self.resource, user_id=user_id, relation=relation)
        return self.answer(ShareSerializer, share)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, user_id: UUID, **ids: UUID) -> Response:
        sharing.unshare(actor=self.subject, resource=self.resource, user_id=user_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class DocumentSharesView(SharesView):
    """Whom a document is shared with, besides those who have its project."""

    finder = staticmethod(selectors.find_document)


class DocumentShareView(ShareView):
    """One member's relation to a document."""

    @staticmethod
    def finder(subject: Any, **ids: UUID) -> Project | Document:
        return selectors.find_document(subject, ids["project_id"], ids["document_id"])


class CustomFieldsView(ResourceView):
    """The fields that the organization adds to its projects."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ, POST=SETTINGS_MANAGE)
    queryset = CustomField.objects.none()

    @extend_schema(responses=CustomFieldSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.custom_fields(), CustomFieldSerializer)

    @extend_schema(request=CustomFieldSerializer, responses={201: CustomFieldSerializer})
    def post(self, request: Request) -> Response:
        field = custom_fields.define_custom_field(actor=self.subject, **self.valid(CustomFieldSerializer))
        return self.answer(CustomFieldSerializer, field, status=status.HTTP_201_CREATED)


class CustomFieldView(ResourceView):
    """One custom field."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=ORGANIZATION_READ, PATCH=SETTINGS_MANAGE, DELETE=SETTINGS_MANAGE
    )
    finder = staticmethod(selectors.find_custom_field)
    versioned = True

    @extend_schema(responses=CustomFieldSerializer)
    def get(self, request: Request, field_id: UUID) -> Response:
        return self.answer(CustomFieldSerializer, self.resource)

    @extend_schema(request=CustomFieldChangesSerializer(partial=True), responses=CustomFieldSerializer)
    def patch(self, request: Request, field_id: UUID) -> Response:
        changes = self.valid(CustomFieldChangesSerializer, partial=True)
        return self.answer(
            CustomFieldSerializer,
            custom_fields.update_custom_field(
                actor=self.subject, field=self.resource, expected=self.expected, **changes
            ),
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, field_id: UUID) -> Response:
        custom_fields.delete_custom_field(actor=self.subject, field=self.resource, expected=self.expected)
        return Response(status=status.HTTP_204_NO_CONTENT)
