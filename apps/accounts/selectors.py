"""Reads about people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.tenancy.context import control

from .models import Membership, User
from .permissions import Role


def find_member(user_id: Any, tenant_id: UUID) -> User | None:
    """An active person with their membership in a tenant, or None; one query."""
    with control("authenticate"):
        membership = (
            Membership.objects.select_related("user")
            .filter(user_id=user_id, tenant_id=tenant_id, user__is_active=True)
            .first()
        )
    if membership is None:
        return None
    membership.user.membership = membership
    return membership.user


def find_person(user_id: Any) -> User | None:
    with control("authenticate"):
        return User.objects.filter(id=user_id, is_active=True).first()


def owners_of(tenant_id: UUID) -> list[Membership]:
    """The owners of an organization; in its own context or in the control plane."""
    return list(Membership.objects.filter(tenant_id=tenant_id, role=Role.OWNER).order_by("created_at"))
