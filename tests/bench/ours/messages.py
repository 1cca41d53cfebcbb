"""How many messages our project sends to PostgreSQL."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import close_old_connections
from django.test import Client as Browser

from apps.projects.models import Project
from apps.tenancy.context import TenantContext, use
from apps.tenancy.transactions import atomic
from apps.tenants.models import Tenant

from ..proxy import CountingProxy
from ..repeat import Counts, count
from . import listing, tenants

ROWS = 20


def messages(proxy: CountingProxy | None) -> dict[str, Counts]:
    """Each case's messages; units of work alternate between two tenants, as a worker's requests do."""
    assert proxy is not None
    organizations = [
        tenants.create_organization("Counted A", "schema"),
        tenants.create_organization("Counted B", "pool"),
    ]
    first, second = (tenant.context() for tenant in organizations)
    for context in (first, second):
        with use(context):
            Project.objects.all().delete()
            Project.objects.bulk_create([Project(name=f"Project {n}") for n in range(ROWS)])
    browser = _signed_in(organizations[0], first)
    bearer = _bearer(organizations[0])
    counted = partial(count, proxy, between=lambda: _read(second))
    return {
        "request": counted(lambda: _get(browser)),
        "request as served": count(proxy, lambda: _get(browser), between=close_old_connections),
        "request with a token": counted(lambda: _get(bearer)),
        "request with a token as served": count(proxy, lambda: _get(bearer), between=close_old_connections),
        "unit of work": counted(lambda: _read(first)),
        "unit of work in a transaction": counted(lambda: _read_atomic(first)),
    }


def _signed_in(tenant: Tenant, context: TenantContext) -> Browser:
    browser = Browser(SERVER_NAME=f"{tenant.slug}.{settings.BASE_DOMAIN}")
    browser.cookies[settings.SESSION_COOKIE_NAME] = listing.session_of_owner(tenant, context)
    return browser


def _bearer(tenant: Tenant) -> Browser:
    token = listing.token_of_owner(tenant)
    return Browser(SERVER_NAME=f"{tenant.slug}.{settings.BASE_DOMAIN}", headers={"Authorization": f"Bearer {token}"})


def _get(browser: Browser) -> None:
    response = browser.get("/api/v1/projects")
    assert response.status_code == 200, response.content
    assert len(response.json()["results"]) == ROWS


def _read(context: TenantContext) -> None:
    with use(context):
        assert len(list(Project.objects.all()[:ROWS])) == ROWS


def _read_atomic(context: TenantContext) -> None:
    with use(context), atomic():
        assert len(list(Project.objects.all()[:ROWS])) == ROWS
