"""People, their memberships, their sessions."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from apps.tenancy.fields import TenantKey

from .permissions import Role


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known across organizations by e-mail address. No tenant may read this table."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    membership: Membership | None = None

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="accounts_user_email_lower", condition=Q(email=Lower("email"))),
        ]

    def __str__(self) -> str:
        return self.email


class Membership(models.Model):
    """A person's place in one organization, with the name and address the organization knows them by."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    name = models.CharField(max_length=150, blank=True)
    email = models.EmailField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "user"], name="accounts_membership_once"),
            models.CheckConstraint(name="accounts_membership_role_known", condition=Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role})"


class Session(AbstractBaseSession):
    """A browser's session, valid on the hosts of one tenant; without a tenant, on the apex."""

    tenant = TenantKey(related_name="+", null=True, privileges="SELECT, INSERT, UPDATE, DELETE")

    class Meta(AbstractBaseSession.Meta):
        db_table = "accounts_session"


class HandoffCode(models.Model):
    """A one-use code with which the apex hands a signed-in person to a tenant's host."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="+", privileges="SELECT, UPDATE (used_at)")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    code_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"hand-off code of {self.user_id}"
