"""Founding an organization through the API."""

from __future__ import annotations

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.limits import count_sign_up
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain

from . import services


class RegisterSerializer(serializers.Serializer):
    organization = serializers.CharField(max_length=services.NAME_MAX_LENGTH)
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class RegisterView(APIView):
    """201 with the organization's address; 202 while its place is still being built."""

    public_because = "organizations are founded here"
    authentication_classes = ()

    def post(self, request: Request) -> Response:
        serializer = RegisterSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        count_sign_up(request._request, serializer.validated_data["email"])
        founded = services.sign_up(**serializer.validated_data)
        body = {
            "user": {"id": founded.owner.id, "email": founded.owner.email},
            "tenant": {
                "id": founded.tenant.id,
                "slug": founded.tenant.slug,
                "name": founded.tenant.name,
                "status": founded.tenant.status,
                "url": link(primary_domain(founded.tenant.id).domain),
            },
        }
        return Response(body, status=status.HTTP_201_CREATED if founded.is_ready else status.HTTP_202_ACCEPTED)
