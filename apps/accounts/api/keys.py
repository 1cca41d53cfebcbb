"""Keys for the organization's own programs."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import KEYS_MANAGE
from apps.access.resources import ResourceView, allow
from apps.core.api_fields import NameField
from apps.core.row_serializers import ModelSerializer

from .. import selectors
from ..models import ApiKey
from ..services import api_keys


class ApiKeySerializer(ModelSerializer[ApiKey]):
    name = NameField(max_length=100)
    scopes = serializers.ListField(child=serializers.CharField(max_length=60), min_length=1, max_length=100)

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "created_by_id", "created_at", "expires_at", "last_used_at")
        read_only_fields = ("id", "prefix", "created_by_id", "created_at", "last_used_at")


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")  # type: ignore[assignment]


class ApiKeysView(ResourceView):
    """Keys for the organization's own programs."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=KEYS_MANAGE, POST=KEYS_MANAGE)
    queryset = ApiKey.objects.none()

    @extend_schema(responses=ApiKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.api_keys_of(self.subject.tenant_id), ApiKeySerializer)

    @extend_schema(request=ApiKeySerializer, responses={201: NewApiKeySerializer})
    def post(self, request: Request) -> Response:
        key, secret = api_keys.create_api_key(actor=self.subject, **self.valid(ApiKeySerializer))
        shown = {**ApiKeySerializer(key).data, "key": secret}
        return Response(shown, status=status.HTTP_201_CREATED)


class ApiKeyView(ResourceView):
    """One API key."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(DELETE=KEYS_MANAGE)
    finder = staticmethod(selectors.find_api_key)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        api_keys.revoke_api_key(actor=self.subject, key_id=key_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
