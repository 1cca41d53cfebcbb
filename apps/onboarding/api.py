"""Creating an organization through the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.resources import ResourceView
from apps.access.services.attempts import SIGN_UP
from apps.accounts.known_devices import count_attempt, remember
from apps.accounts.selectors import memberships_of
from apps.accounts.serializers import TokensSerializer, described
from apps.accounts.services import tokens
from apps.core.api_fields import AddressField, NameField
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain

from . import services


class RegisterSerializer(serializers.Serializer[Any]):
    organization = NameField(max_length=services.NAME_MAX_LENGTH, one_script=True)
    email = AddressField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class RegisterView(ResourceView):
    """201 with tokens and the organization's address; 202 without tokens while its place is still being built."""

    public_because = "organizations are created here"
    authentication_classes = ()

    @extend_schema(request=RegisterSerializer, responses={201: TokensSerializer, 202: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        content = self.valid(RegisterSerializer)
        count_attempt(request._request, SIGN_UP, content["email"])
        outcome = services.sign_up(**content)
        if outcome.is_ready:
            body = described(tokens.issue(memberships_of(outcome.owner, tenant_id=outcome.tenant.id)[0]))
            response = Response(body, status=status.HTTP_201_CREATED)
        else:
            response = Response(_promised(outcome), status=status.HTTP_202_ACCEPTED)
        return remember(request._request, response, outcome.owner)


def _promised(outcome: services.SignUp) -> dict[str, Any]:
    tenant = outcome.tenant
    return {
        "user": {"id": outcome.owner.id, "email": outcome.owner.email},
        "tenant": {
            "id": tenant.id,
            "slug": tenant.slug,
            "name": tenant.name,
            "status": tenant.status,
            "url": link(primary_domain(tenant.id).domain),
        },
    }
