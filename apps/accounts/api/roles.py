"""The organization's own roles."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import ORGANIZATION_READ, ROLES_MANAGE
from apps.access.resources import ResourceView, allow
from apps.core.api_fields import NameField
from apps.core.row_serializers import ModelSerializer

from .. import selectors
from ..models import CustomRole
from ..services import roles


class RoleSerializer(ModelSerializer[CustomRole]):
    name = NameField(max_length=60, one_script=True)
    permissions = serializers.ListField(child=serializers.CharField(max_length=60), max_length=100)

    class Meta:
        model = CustomRole
        fields = ("id", "name", "permissions", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")


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
    versioned = True

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
        roles.delete_role(actor=self.subject, role_id=role_id, expected=self.expected)
        return Response(status=status.HTTP_204_NO_CONTENT)
