"""The organization itself: settings, roles, API keys, the audit log."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.links import link
from apps.tenants.models import Tenant
from apps.tenants.selectors import primary_domain, profile_of
from apps.tenants.services import profiles

from .. import selectors
from ..models import ApiKey, CustomRole
from ..permissions import KEYS_MANAGE, ORGANIZATION_READ, ROLES_MANAGE, SETTINGS_MANAGE, USERS_MANAGE
from ..resources import ResourceView, allow
from ..services import api_keys, roles
from ..validators import no_control_characters
from .people import LOCALE


class OrganizationDetailSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    placement = serializers.CharField()
    url = serializers.URLField()
    member_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class SettingsSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200, validators=[no_control_characters])
    locale = serializers.RegexField(LOCALE, max_length=12)
    time_zone = serializers.CharField(max_length=64)
    brand_name = serializers.CharField(max_length=60, allow_blank=True, validators=[no_control_characters])
    brand_color = serializers.RegexField(r"^(#[0-9A-Fa-f]{6})?\Z", max_length=7, allow_blank=True)
    has_logo = serializers.BooleanField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class LogoSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(max_length=255, allow_empty_file=False)


class RoleSerializer(serializers.ModelSerializer[CustomRole]):
    name = serializers.CharField(max_length=60, validators=[no_control_characters])
    permissions = serializers.ListField(child=serializers.CharField(max_length=60), max_length=100)

    class Meta:
        model = CustomRole
        fields = ("id", "name", "permissions", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    name = serializers.CharField(max_length=100, validators=[no_control_characters])
    scopes = serializers.ListField(child=serializers.CharField(max_length=60), min_length=1, max_length=100)

    class Meta:
        model = ApiKey
        fields = ("id", "name", "prefix", "scopes", "created_by_id", "created_at", "expires_at", "last_used_at")
        read_only_fields = ("id", "prefix", "created_by_id", "created_at", "last_used_at")


class NewApiKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")  # type: ignore[assignment]


class OrganizationView(ResourceView):
    """The caller's organization."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=USERS_MANAGE)

    @extend_schema(responses=OrganizationDetailSerializer)
    def get(self, request: Request) -> Response:
        tenant: Tenant = request._request.tenant  # type: ignore[attr-defined]
        body = {
            "id": tenant.id,
            "slug": tenant.slug,
            "name": tenant.name,
            "status": tenant.status,
            "placement": tenant.requested_placement,
            "url": link(primary_domain(tenant.id).domain),
            "member_count": selectors.members_of(tenant.id).count(),
            "created_at": tenant.created_at,
        }
        return Response(OrganizationDetailSerializer(body).data)


class SettingsView(ResourceView):
    """Name, language, time zone and branding."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ, PATCH=SETTINGS_MANAGE)

    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request) -> Response:
        return self.answer(SettingsSerializer, profile_of(self.subject.tenant_id))

    @extend_schema(request=SettingsSerializer(partial=True), responses=SettingsSerializer)
    def patch(self, request: Request) -> Response:
        changes = self.valid(SettingsSerializer, partial=True)
        profile = profiles.update_profile(
            actor=self.subject, tenant_id=self.subject.tenant_id, expected=self.expected, **changes
        )
        return self.answer(SettingsSerializer, profile)


class LogoView(ResourceView):
    """The organization's logo: PNG, JPEG or WebP, up to 512 KB."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=ORGANIZATION_READ, PUT=SETTINGS_MANAGE, DELETE=SETTINGS_MANAGE
    )
    parser_classes = (MultiPartParser,)

    @extend_schema(responses={(200, "image/*"): OpenApiResponse(response=bytes, description="the image")})
    def get(self, request: Request) -> HttpResponseBase:
        file, content_type = profiles.open_logo(profile_of(self.subject.tenant_id))
        return FileResponse(file, content_type=content_type)

    @extend_schema(request={"multipart/form-data": LogoSerializer}, responses={204: None})
    def put(self, request: Request) -> Response:
        upload = self.valid(LogoSerializer)["file"]
        profiles.set_logo(actor=self.subject, tenant_id=self.subject.tenant_id, upload=upload)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        profiles.remove_logo(actor=self.subject, tenant_id=self.subject.tenant_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


class RolesView(ResourceView):
    """The organization's own roles."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ, POST=ROLES_MANAGE)
    queryset = CustomRole.objects.none()

    @extend_schema(responses=RoleSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.listed(selectors.roles_of(self.subject.tenant_id), RoleSerializer)

    @extend_schema(request=RoleSerializer, responses={201: RoleSerializer})
    def post(self, request: Request) -> Response:
        role = roles.create_role(actor=self.subject, **self.valid(RoleSerializer))
        return self.answer(RoleSerializer, role, status=status.HTTP_201_CREATED)


class RoleView(ResourceView):
    """One role of the organization's own."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=ORGANIZATION_READ, PATCH=ROLES_MANAGE, DELETE=ROLES_MANAGE
    )
    finder = staticmethod(selectors.get_role)

    @extend_schema(responses=RoleSerializer)
    def get(self, request: Request, role_id: UUID) -> Response:
        return self.answer(RoleSerializer, self.resource)

    @extend_schema(request=RoleSerializer(partial=True), responses=RoleSerializer)
    def patch(self, request: Request, role_id: UUID) -> Response:
        wanted = {"name": self.resource.name, "permissions": self.resource.permissions}
        wanted |= self.valid(RoleSerializer, partial=True)
        role = roles.update_role(actor=self.subject, role_id=role_id, expected=self.expected, **wanted)
        return self.answer(RoleSerializer, role)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, role_id: UUID) -> Response:
        roles.delete_role(actor=self.subject, role_id=role_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


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

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        api_keys.revoke_api_key(actor=self.subject, key_id=key_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
