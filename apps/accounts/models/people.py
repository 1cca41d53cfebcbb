"""People, their memberships and roles, and invitations to become a member."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from apps.access.permissions import GRANTS, Role
from apps.core.addresses import normalized_email
from apps.tenancy.constraints import TenantForeignKey, TenantRelation
from apps.tenancy.fields import TenantKey

from .. import passwords


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=normalized_email(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known across organizations by e-mail address. No tenant may read this table."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)  # may sign in where the platform is run
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

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(None if raw_password is None else passwords.composed(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is theirs, in whatever form it is written; it takes as long if nobody's is."""
        forms = passwords.forms(raw_password or "")
        return max([super(User, self).check_password(form) for form in forms])

    def get_full_name(self) -> str:
        """What to call somebody of whom the address is all that is known."""
        return self.email.partition("@")[0]


class CustomRole(models.Model):
    """A named set of permissions of one organization."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="custom_roles")
    name = models.CharField(max_length=60)
    permissions = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "id"], name="accounts_customrole_tenant_key"),
            models.UniqueConstraint(F("tenant"), Lower("name"), name="accounts_customrole_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Assignment(models.Model):
    """A role, built in or custom; who holds it is for the models that inherit this."""

    role = models.CharField(max_length=10, choices=Role.choices)
    custom_role = models.ForeignKey(CustomRole, models.PROTECT, null=True, db_constraint=False, related_name="+")

    class Meta:
        abstract = True

    @property
    def role_name(self) -> str:
        return self.custom_role.name if self.custom_role else str(self.role)

    @property
    def role_label(self) -> str:
        """The role as people read it."""
        return self.custom_role.name if self.custom_role else str(Role(self.role).label)

    @property
    def permissions(self) -> frozenset[str]:
        return frozenset(self.custom_role.permissions) if self.custom_role else GRANTS[self.role]


def _assignment_constraints(table: str) -> list[models.BaseConstraint]:
    return [
        models.CheckConstraint(name=f"{table}_role_known", condition=Q(role__in=Role.values)),
        models.CheckConstraint(
            name=f"{table}_custom_role_if_custom",
            condition=Q(role=Role.CUSTOM, custom_role__isnull=False)
            | (~Q(role=Role.CUSTOM) & Q(custom_role__isnull=True)),
        ),
        TenantForeignKey(field="custom_role", name=f"{table}_custom_role"),
    ]


class Membership(Assignment):
    """A person's place in one organization, with the name and address the organization knows them by.

    ``version`` rises whenever the member's rights change; tokens issued for an older one are void.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    name = models.CharField(max_length=150, blank=True)
    email = models.EmailField()
    locale = models.CharField(max_length=12, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["tenant", "user"], name="accounts_membership_once"),
            *_assignment_constraints("accounts_membership"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="accounts_membership_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role_name})"

    @property
    def display_name(self) -> str:
        return self.name or self.email


class Invitation(Assignment):
    """An address that may become a member, with the link that was mailed to it, once.

    It counts while whoever sent it last may still send it: a member, or the key that a member made.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    tenant = TenantKey(related_name="invitations")
    email = models.EmailField()
    generation = models.PositiveIntegerField(default=1)  # rises when it is sent again, which voids older links
    token_hash = models.CharField(max_length=64)
    invited_by_id = models.UUIDField(null=True)
    invited_by_key_id = models.UUIDField(null=True)
    sender = TenantRelation(Membership, column="invited_by_id", remote="user")
    sender_key = TenantRelation("accounts.ApiKey", column="invited_by_key_id", remote="id")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="accounts_invitation_open_once",
            ),
            *_assignment_constraints("accounts_invitation"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="accounts_invitation_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.role_name})"
