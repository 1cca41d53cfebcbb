"""The organization's audit log."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils.http import urlencode
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.export import as_csv, as_json_lines
from apps.audit.selectors import Entry, Position, all_events, events_page

from .. import selectors
from ..permissions import AUDIT_VIEW
from ..resources import ResourceView, allow
from ..subjects import USER

FORMATS = {"csv": (as_csv, "text/csv"), "jsonl": (as_json_lines, "application/jsonl")}


class ActorSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(source="actor_type")
    id = serializers.CharField(source="actor_id")
    ip = serializers.CharField(source="actor_ip", allow_null=True)
    name = serializers.SerializerMethodField(help_text="What the organization calls them; empty for who has left.")

    def get_name(self, entry: Entry) -> str:
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


class PageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = EntrySerializer(many=True)


class FilterSerializer(serializers.Serializer[Any]):
    action = serializers.CharField(required=False, max_length=100)
    actor_id = serializers.CharField(required=False, max_length=100)
    resource_type = serializers.CharField(required=False, max_length=50)
    resource_id = serializers.CharField(required=False, max_length=100)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class PagingSerializer(serializers.Serializer[Any]):
    page_size = serializers.IntegerField(min_value=1, max_value=100, default=20)
    before = serializers.CharField(required=False, max_length=200)
    after = serializers.CharField(required=False, max_length=200)


class ExportSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=sorted(FORMATS), default="jsonl")


FILTERS = [
    OpenApiParameter("action", str, description="A prefix: 'project' finds 'project.created'."),
    OpenApiParameter("actor_id", str),
    OpenApiParameter("resource_type", str),
    OpenApiParameter("resource_id", str),
    OpenApiParameter("since", datetime),
    OpenApiParameter("until", datetime),
]


class AuditEventsView(ResourceView):
    """What happened in the organization and to its people, newest first."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=AUDIT_VIEW)

    @extend_schema(
        parameters=[
            *FILTERS,
            OpenApiParameter("page_size", int),
            OpenApiParameter("before", str, description="As the links of a page have it."),
            OpenApiParameter("after", str, description="As the links of a page have it."),
        ],
        responses=PageSerializer,
    )
    def get(self, request: Request) -> Response:
        paging, filters = self._asked(PagingSerializer), self._asked(FilterSerializer)
        before, after = (_position(paging.get(name)) for name in ("before", "after"))
        size = paging["page_size"]
        entries = events_page(tenant_id=self.subject.tenant_id, limit=size + 1, before=before, after=after, **filters)
        more = len(entries) > size
        shown = entries[1:] if more and after else entries[:size]
        older = bool(shown) and (more if after is None else True)
        newer = bool(shown) and (more if after is not None else before is not None)
        links = {
            "next": self._link("before", shown[-1]) if older else None,
            "previous": self._link("after", shown[0]) if newer else None,
        }
        response = Response({**links, "results": EntrySerializer(shown, many=True, context=self._named(shown)).data})
        named = {"next": links["next"], "prev": links["previous"]}
        header = ", ".join(f'<{address}>; rel="{relation}"' for relation, address in named.items() if address)
        if header:
            response["Link"] = header
        return response

    def _asked(self, serializer_class: Any) -> dict[str, Any]:
        asked = serializer_class(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return dict(asked.validated_data)

    def _link(self, side: str, entry: Entry) -> str:
        query = {k: str(v) for k, v in self.request.query_params.items() if k not in ("before", "after")}
        return self.request.build_absolute_uri(f"?{urlencode({**query, side: _cursor(entry.position)})}")

    def _named(self, entries: Iterable[Entry]) -> dict[str, Any]:
        ids = {UUID(entry.actor_id) for entry in entries if entry.actor_type == USER}
        names = selectors.names_of(self.subject.tenant_id, ids)
        return {"names": {str(user_id): name for user_id, name in names.items()}}


class AuditExportView(ResourceView):
    """The whole log, streamed as CSV or JSON lines."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=AUDIT_VIEW)

    @extend_schema(
        parameters=[*FILTERS, OpenApiParameter("format", str, enum=sorted(FORMATS))],
        responses={
            (200, "text/csv"): OpenApiResponse(response=str),
            (200, "application/jsonl"): OpenApiResponse(response=str),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = ExportSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        filters = FilterSerializer(data=request.query_params)
        filters.is_valid(raise_exception=True)
        kind = asked.validated_data["format"]
        written, content_type = FORMATS[kind]
        entries = all_events(tenant_id=self.subject.tenant_id, **filters.validated_data)
        response = StreamingHttpResponse(written(entries), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="audit-log.{kind}"'
        return response


def _cursor(position: Position) -> str:
    occurred_at, event_id = position
    return base64.urlsafe_b64encode(f"{occurred_at.isoformat()} {event_id}".encode()).decode()


def _position(cursor: str | None) -> Position | None:
    """Raises NotFound for a position that no page has."""
    if cursor is None:
        return None
    try:
        occurred_at, _, event_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        position = datetime.fromisoformat(occurred_at), UUID(event_id)
    except (ValueError, binascii.Error) as error:
        raise NotFound("Invalid cursor.") from error
    if position[0].tzinfo is None:
        raise NotFound("Invalid cursor.")
    return position
