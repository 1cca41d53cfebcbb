"""The organization's audit log."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.utils.http import urlencode
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import AUDIT_VIEW
from apps.access.resources import ResourceView, allow
from apps.accounts import selectors
from apps.audit.export import as_csv, as_json_lines
from apps.audit.selectors import AuditEntry
from apps.core import csv_files

from ..audit_reading import all_for, page_for

FORMATS = {
    "jsonl": (as_json_lines, "application/jsonl"),
    "csv": (as_csv, csv_files.CONTENT_TYPE),
}  # the first is preferred


class ActorSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(source="actor_type")
    id = serializers.CharField(source="actor_id")
    ip = serializers.CharField(source="actor_ip", allow_null=True)
    name = serializers.SerializerMethodField(help_text="What the organization calls them; empty for who has left.")

    def get_name(self, entry: AuditEntry) -> str:
        names: dict[str, str] = self.context.get("names", {})
        return names.get(entry.actor_id, "")


class ResourceSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(source="resource_type")
    id = serializers.CharField(source="resource_id")


class EntrySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    occurred_at = serializers.DateTimeField()
    action = serializers.CharField()
    actor = ActorSerializer(source="*")
    resource = ResourceSerializer(source="*")
    changes = serializers.DictField()
    metadata = serializers.DictField()
    plane = serializers.ChoiceField(choices=["tenant", "control"])
    withheld = serializers.BooleanField(
        help_text="Whether names and values are left out, of a thing that the caller does not see."
    )


class PageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EntrySerializer(many=True)


class AuditFilterSerializer(serializers.Serializer[Any]):
    action = serializers.CharField(
        required=False, max_length=100, help_text="A prefix: 'project' finds 'project.created'."
    )
    actor_id = serializers.CharField(required=False, max_length=100)
    resource_type = serializers.CharField(required=False, max_length=50)
    resource_id = serializers.CharField(required=False, max_length=100)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class PagingSerializer(serializers.Serializer[Any]):
    page_size = serializers.IntegerField(min_value=1, max_value=100, default=20)
    before = serializers.CharField(required=False, max_length=200, help_text="As the links of a page have it.")
    after = serializers.CharField(required=False, max_length=200, help_text="As the links of a page have it.")


class ExportSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(
        choices=sorted(FORMATS), required=False, help_text="Without it the Accept header says which."
    )


class AuditEventsView(ResourceView):
    """What happened in the organization and to its people, newest first."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=AUDIT_VIEW)
    parameters = (PagingSerializer, AuditFilterSerializer)

    @extend_schema(responses=PageSerializer)
    def get(self, request: Request) -> Response:
        paging, filters = (_asked(serializer_class, request) for serializer_class in self.parameters)
        page = page_for(self.subject, **paging, **filters)
        links = {"next": self._link("before", page.older), "previous": self._link("after", page.newer)}
        names = {"names": selectors.actor_names(self.subject.tenant_id, page.entries)}
        response = Response({**links, "results": EntrySerializer(page.entries, many=True, context=names).data})
        named = {"next": links["next"], "prev": links["previous"]}
        header = ", ".join(f'<{address}>; rel="{relation}"' for relation, address in named.items() if address)
        if header:
            response["Link"] = header
        return response

    def _link(self, side: str, cursor: str) -> str | None:
        if not cursor:
            return None
        query = {k: str(v) for k, v in self.request.query_params.items() if k not in ("before", "after")}
        return self.request.build_absolute_uri(f"?{urlencode({**query, side: cursor})}")


class AuditExportView(ResourceView):
    """The whole log, streamed as CSV or JSON lines."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=AUDIT_VIEW)
    parameters = (ExportSerializer, AuditFilterSerializer)
    media_types = tuple(media_type for _, media_type in FORMATS.values())

    @extend_schema(
        responses={
            (200, "text/csv"): OpenApiResponse(response=str),
            (200, "application/jsonl"): OpenApiResponse(response=str),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        export, filters = (_asked(serializer_class, request) for serializer_class in self.parameters)
        kind = export.get("format") or _accepted(request)
        written, content_type = FORMATS[kind]
        entries = all_for(self.subject, **filters)
        response = StreamingHttpResponse(written(entries), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="audit-log.{kind}"'
        return response


def _asked(serializer_class: Any, request: Request) -> dict[str, Any]:
    """What of the address a serializer takes. Raises ValidationError."""
    asked = serializer_class(data=request.query_params.dict())
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


def _accepted(request: Request) -> str:
    accepted: str = request.accepted_renderer.media_type  # type: ignore[attr-defined]
    return next((kind for kind, (_, media_type) in FORMATS.items() if media_type == accepted), next(iter(FORMATS)))
