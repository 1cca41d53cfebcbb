"""A tenant of our project with projects to list, and somebody who may."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from apps.accounts.keyset import keyset
from apps.accounts.models import Membership, User
from apps.accounts.services import tokens
from apps.accounts.sessions import SessionStore
from apps.projects.models import Project
from apps.tenancy.context import TenantContext, control, use
from apps.tenants.models import Tenant

from . import tenants


def listing(rows: int, name: str = "Listed") -> dict[str, str]:
    """The host of a tenant in its own schema with so many rows, and a fresh access token of its owner."""
    tenant = tenants.create_organization(name, "schema")
    with use(tenant.context()):
        if not Project.objects.exists():
            names = [f"Project {number}" for number in range(rows)]
            Project.objects.bulk_create([Project(name=name, description=f"About {name}") for name in names])
    return {"host": f"{tenant.slug}.{settings.BASE_DOMAIN}", "token": token_of_owner(tenant)}


def token_of_owner(tenant: Tenant) -> str:
    """A fresh access token of an organization's only member."""
    keyset.as_jwks()  # makes the first key, where no transaction can undo it
    with control("bench"):
        membership = Membership.objects.select_related("user", "tenant", "custom_role").get(tenant_id=tenant.id)
    return tokens.issue(membership).access


def session_of_owner(tenant: Tenant, context: TenantContext) -> str:
    """The key of a fresh session of an organization's only member."""
    with control("bench"):
        user = User.objects.get(memberships__tenant=tenant)
    with use(context):
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
    return session.session_key or ""


def crowd(number: int) -> list[dict[str, str]]:
    """Hosts and fresh access tokens of so many organizations in schemas of their own."""
    found = [tenants.create_organization(f"Crowd {one:04d}", "schema") for one in range(number)]
    return [{"host": f"{one.slug}.{settings.BASE_DOMAIN}", "token": token_of_owner(one)} for one in found]
