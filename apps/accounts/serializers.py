"""Tokens as every part of the API shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.tenants.links import link
from apps.tenants.selectors import primary_domain

from .services.tokens import TokenPair


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()


class OrganizationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    status = serializers.CharField()
    url = serializers.URLField()


class TokensSerializer(serializers.Serializer[Any]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")
    user = PersonSerializer()
    tenant = OrganizationSerializer()


def described(pair: TokenPair) -> dict[str, Any]:
    """Tokens as the API shows them."""
    membership = pair.membership
    tenant = membership.tenant
    return {
        "access": pair.access,
        "refresh": pair.refresh,
        "token_type": "Bearer",
        "expires_in": pair.expires_in,
        "user": {"id": str(membership.user_id), "email": membership.user.email},
        "tenant": {
            "id": str(tenant.id),
            "slug": tenant.slug,
            "name": tenant.name,
            "status": tenant.status,
            "url": link(primary_domain(tenant.id).domain),
        },
    }
