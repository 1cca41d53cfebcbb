"""The processor time of our requests, kind by kind."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command

from apps.projects.models import Project
from apps.tenancy.context import use
from config.wsgi import application

from ..wsgi_calls import environ_of, microseconds
from . import tenants
from .listing import listing, session_of_owner

ROWS = 40
PAGES: dict[str, dict[str, Any]] = {"build_messages": {}, "build_css": {}, "collectstatic": {"interactive": False}}


def processor() -> dict[str, float]:
    """Microseconds of each kind of request, by an owner."""
    for command, options in PAGES.items():
        call_command(command, verbosity=0, **options)
    given = listing(ROWS)
    host, bearer = given["host"], {"AUTHORIZATION": f"Bearer {given['token']}"}
    tenant = tenants.create_organization("Listed", "schema")
    with use(tenant.context()):
        project = Project.objects.first()
    path = f"/api/v1/projects/{project.id}"
    session = {"COOKIE": f"{settings.SESSION_COOKIE_NAME}={session_of_owner(tenant, tenant.context())}"}
    changes = [environ_of("PATCH", host, path, {"description": f"{n}"}, **bearer) for n in range(2)]
    kinds: dict[str, tuple[list[Any], int]] = {
        "list": ([environ_of("GET", host, "/api/v1/projects", **bearer)], 200),
        "detail": ([environ_of("GET", host, path, **bearer)], 200),
        "members": ([environ_of("GET", host, "/api/v1/members", **bearer)], 200),
        "change": (changes, 200),
        "page": ([environ_of("GET", host, "/projects/", **session)], 200),
        "sign-in page": ([environ_of("GET", host, "/sign-in/")], 200),
    }
    return {kind: microseconds(application, environs, status) for kind, (environs, status) in kinds.items()}
