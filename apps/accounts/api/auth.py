"""Signing in and out as an API client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.permissions import MEMBER
from apps.access.resources import ResourceView, allow
from apps.access.services.attempts import LOOKUP, RESET, SIGN_IN
from apps.access.subjects import USER
from apps.core.api_fields import AddressField

from ..errors import TokenRefused
from ..known_devices import count_attempt, remember
from ..serializers import TokensSerializer, described
from ..services import lookup, people, sessions, tokens


class LoginSerializer(serializers.Serializer[Any]):
    email = AddressField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    organization = serializers.CharField(
        max_length=63, required=False, help_text="Slug or id; needed by members of several, on the apex."
    )


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=8192)


class AddressSerializer(serializers.Serializer[Any]):
    email = AddressField(max_length=254)


class ValidSerializer(serializers.Serializer[Any]):
    active = serializers.BooleanField()
    type = serializers.CharField()
    id = serializers.CharField()
    tenant_id = serializers.UUIDField()
    role = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())


def host_tenant_id(request: Request) -> Any:
    """The organization whose host was called; None on the apex."""
    tenant = request._request.tenant  # type: ignore[attr-defined]
    return tenant.id if tenant else None


class LoginView(ResourceView):
    """Tokens for e-mail address and password. Members of several organizations name one, or get the list (409).

    A program that keeps the cookie of the answer is known from then on: what strangers try does not lock it out.
    """

    public_because = "people sign in here"
    authentication_classes = ()

    @extend_schema(request=LoginSerializer, responses={200: TokensSerializer})
    def post(self, request: Request) -> Response:
        credentials = self.valid(LoginSerializer)
        count_attempt(request._request, SIGN_IN, credentials["email"])
        pair = tokens.sign_in(**credentials, tenant_id=host_tenant_id(request))
        return remember(request._request, Response(described(pair)), pair.membership.user)


class RefreshView(ResourceView):
    """A new pair of tokens. A refresh token works once; a second use ends everything that descends from it."""

    public_because = "the refresh token is the proof"
    authentication_classes = ()

    @extend_schema(request=RefreshSerializer, responses={200: TokensSerializer})
    def post(self, request: Request) -> Response:
        pair = tokens.refresh(token=self.valid(RefreshSerializer)["refresh"], tenant_id=host_tenant_id(request))
        return Response(described(pair))


class LogoutView(ResourceView):
    """End the access token and everything of its sign-in."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=MEMBER)
    takes_nothing = True

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        if not self.subject.token_id:
            raise TokenRefused("Only a token can be signed out here.")
        expires_at = datetime.now(UTC) + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
        tokens.sign_out(actor=self.subject, expires_at=expires_at)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SignOutEverywhereView(ResourceView):
    """End all sessions and tokens of the caller in this organization."""

    permissions_by_method: ClassVar[dict[str, str]] = allow(POST=MEMBER)
    takes_nothing = True

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        sessions.sign_out_everywhere(actor=self.subject)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ValidateView(ResourceView):
    """What the credentials are good for; 401 if for nothing."""

    public_because = "anybody may ask about the credentials they hold"
    takes_nothing = True

    @extend_schema(request=None, responses={200: ValidSerializer, 401: OpenApiResponse(description="not valid")})
    def post(self, request: Request) -> Response:
        subject: Any = request.user
        if getattr(subject, "type", "") not in (USER, "api_key"):
            raise TokenRefused
        body = {
            "active": True,
            "type": subject.type,
            "id": subject.id,
            "tenant_id": subject.tenant_id,
            "role": subject.role,
            "permissions": sorted(subject.permissions),
        }
        return Response(ValidSerializer(body).data)


class PasswordResetView(ResourceView):
    """Mail a link to a member, on the organization's host; the answer is the same for everybody."""

    public_because = "whoever lost their password cannot sign in"
    authentication_classes = ()

    @extend_schema(request=AddressSerializer, responses={202: None})
    def post(self, request: Request) -> Response:
        email = self.valid(AddressSerializer)["email"]
        count_attempt(request._request, RESET, email)
        if host_tenant_id(request) is not None:
            people.request_password_reset(email=email)
        else:
            lookup.request_organizations(email=email)
        return Response(status=status.HTTP_202_ACCEPTED)


class FindOrganizationsView(ResourceView):
    """Mail somebody the organizations they belong to; the answer is the same for everybody."""

    public_because = "whoever forgot their organization's address cannot sign in"
    authentication_classes = ()

    @extend_schema(request=AddressSerializer, responses={202: None})
    def post(self, request: Request) -> Response:
        email = self.valid(AddressSerializer)["email"]
        count_attempt(request._request, LOOKUP, email)
        lookup.request_organizations(email=email)
        return Response(status=status.HTTP_202_ACCEPTED)
