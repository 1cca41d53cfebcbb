"""The organization itself, and its settings."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import ORGANIZATION_READ, SETTINGS_MANAGE, USERS_MANAGE
from apps.access.resources import ResourceView, allow
from apps.access.subjects import Subject
from apps.accounts.selectors import members_of
from apps.core.api_fields import NameField
from apps.core.locales import LOCALE
from apps.tenants.links import link
from apps.tenants.models import Profile, Tenant
from apps.tenants.selectors import primary_domain, profile_of
from apps.tenants.services import profiles


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
    name = NameField(max_length=200, one_script=True)
    locale = serializers.RegexField(LOCALE, max_length=12)
    time_zone = serializers.CharField(max_length=64)
    brand_name = NameField(max_length=60, allow_blank=True, one_script=True)
    brand_color = serializers.RegexField(r"^(#[0-9A-Fa-f]{6})?\Z", max_length=7, allow_blank=True)
    has_logo = serializers.BooleanField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class LogoSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(max_length=255, allow_empty_file=False)


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
            "member_count": members_of(tenant.id).count(),
            "created_at": tenant.created_at,
        }
        return Response(OrganizationDetailSerializer(body).data)


class SettingsView(ResourceView):
    """Name, language, time zone and branding."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(GET=ORGANIZATION_READ, PATCH=SETTINGS_MANAGE)
    versioned = True

    @staticmethod
    def finder(subject: Subject) -> Profile:
        return profile_of(subject.tenant_id)

    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request) -> Response:
        return self.answer(SettingsSerializer, self.resource)

    @extend_schema(request=SettingsSerializer(partial=True), responses=SettingsSerializer)
    def patch(self, request: Request) -> Response:
        changes = self.valid(SettingsSerializer, partial=True)
        profile = profiles.update_profile(
            actor=self.subject, tenant_id=self.subject.tenant_id, expected=self.expected, **changes
        )
        return self.answer(SettingsSerializer, profile)


class LogoView(ResourceView):
    """The organization's logo: PNG, JPEG or WebP, up to 512 KB and 2048 pixels a side."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(
        GET=ORGANIZATION_READ, PUT=SETTINGS_MANAGE, DELETE=SETTINGS_MANAGE
    )
    parser_classes = (MultiPartParser,)
    media_types = ("image/*",)

    def at_address(self) -> Any:
        return self if profile_of(self.subject.tenant_id).has_logo else None

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
