"""Signed-in browsers, and the codes that hand one over from the apex."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now

from apps.tenancy.fields import GeneratedUUID, TenantKey

from .people import User


class Session(AbstractBaseSession):
    """A browser's session, valid on the hosts of one tenant; without a tenant, on the apex.

    ``id`` names it to its owner; the session key is a secret.
    """

    id = models.UUIDField(db_default=GeneratedUUID(), editable=False, unique=True)
    tenant = TenantKey(related_name="+", null=True, privileges="SELECT, INSERT, UPDATE, DELETE")
    user_id = models.UUIDField(null=True, db_index=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_default=Now())

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
