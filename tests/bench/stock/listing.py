"""A tenant of the stock project with projects to list, and somebody who may."""

from __future__ import annotations

from django.contrib.auth.models import User
from django_tenants.utils import tenant_context
from rest_framework_simplejwt.tokens import AccessToken

from . import tenants
from .projects.models import Project


def listing(rows: int) -> dict[str, str]:
    """The host of a tenant with so many rows, and a fresh access token of a user."""
    client = tenants.create_organization("listed")
    with tenant_context(client):
        if not Project.objects.exists():
            names = [f"Project {number}" for number in range(rows)]
            Project.objects.bulk_create([Project(name=name, description=f"About {name}") for name in names])
    return {"host": tenants.host("listed"), "token": token_of_user()}


def token_of_user() -> str:
    """A fresh access token of a user, whom every tenant knows."""
    user, _ = User.objects.get_or_create(username="listing")
    return str(AccessToken.for_user(user))
