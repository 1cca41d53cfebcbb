"""How many messages the stock project sends to PostgreSQL."""

from __future__ import annotations

import copy
from functools import partial

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import close_old_connections, connections, transaction
from django.test import Client as Browser
from django_tenants.utils import tenant_context

from ..proxy import CountingProxy
from ..repeat import Counts, count
from . import listing, tenants
from .customers.models import Client
from .projects.models import Project

ROWS = 20


def messages(proxy: CountingProxy | None) -> dict[str, Counts]:
    """Each case's messages; units of work alternate between two tenants, as a worker's requests do."""
    assert proxy is not None
    first, second = (tenants.create_organization(label) for label in ("counted_a", "counted_b"))
    for client in (first, second):
        with tenant_context(client):
            Project.objects.all().delete()
            Project.objects.bulk_create([Project(name=f"Project {n}") for n in range(ROWS)])
    browser, bearer = _signed_in("counted_a"), _bearer("counted_a")
    counted = partial(count, proxy, between=lambda: _read(second))
    return {
        "request": counted(lambda: _get(browser)),
        "request as served": count(proxy, lambda: _get(browser), between=close_old_connections),
        "request with a token": counted(lambda: _get(bearer)),
        "request with a token as served": count(proxy, lambda: _get(bearer), between=close_old_connections),
        "unit of work": counted(lambda: _read(first)),
        "unit of work in a transaction": counted(lambda: _read_atomic(first)),
        **_without_tenants(proxy),
    }


def _signed_in(label: str) -> Browser:
    user, _ = User.objects.get_or_create(username="counted")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    browser = Browser(SERVER_NAME=tenants.host(label))
    browser.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""
    return browser


def _bearer(label: str) -> Browser:
    return Browser(SERVER_NAME=tenants.host(label), headers={"Authorization": f"Bearer {listing.token_of_user()}"})


def _get(browser: Browser) -> None:
    response = browser.get("/api/v1/projects")
    assert response.status_code == 200, response.content
    assert len(response.json()["results"]) == ROWS


def _read(client: Client) -> None:
    with tenant_context(client):
        assert len(list(Project.objects.all()[:ROWS])) == ROWS


def _read_atomic(client: Client) -> None:
    with tenant_context(client), transaction.atomic():
        assert len(list(Project.objects.all()[:ROWS])) == ROWS


def _without_tenants(proxy: CountingProxy) -> dict[str, Counts]:
    """The same kind of read on Django's own backend: what there is without any tenancy."""
    database = copy.deepcopy(connections.databases["default"])
    connections.databases["plain"] = database | {"ENGINE": "django.db.backends.postgresql"}

    def read() -> None:
        list(Client.objects.using("plain")[:ROWS])

    def read_atomic() -> None:
        with transaction.atomic(using="plain"):
            read()

    return {"plain": count(proxy, read), "plain in a transaction": count(proxy, read_atomic)}
