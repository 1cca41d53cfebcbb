"""Every route of both hosts, attacked with a foreign organization's ids and sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from apps.accounts.access import Access
from apps.accounts.models import Membership
from apps.accounts.permissions import ALL
from apps.accounts.services import make_password_token
from apps.tenancy.context import control

TENANT_URLS, CONTROL_URLS = "config.urls_tenant", "config.urls_control"
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
REFUSED = {401, 403, 404, 405}
FORM = {"name": "overwritten", "description": "overwritten"}

# Every route of a tenant's host by name, and the ids that it takes. A route that is missing here fails.
TENANT_ROUTES: dict[str, tuple[str, ...]] = {
    "projects:list": (),
    "projects:create": (),
    "projects:detail": ("project_id",),
    "projects:edit": ("project_id",),
    "projects:delete": ("project_id",),
    "projects:document-upload": ("project_id",),
    "projects:document-link": ("project_id", "document_id"),
    "projects:document-download": ("project_id", "document_id"),
    "projects:document-delete": ("project_id", "document_id"),
    "account_login": (),
    "set-password": ("user_id", "token"),
    "account_logout": (),
    "account_signup": (),
    "handoff": (),
    "api-projects": (),
}
CONTROL_ROUTES = {"landing", "sign-up", "api-register", "dev-inbox"}
WITH_IDS = [name for name, ids in TENANT_ROUTES.items() if "project_id" in ids]
WITHOUT_IDS = [name for name, ids in TENANT_ROUTES.items() if "project_id" not in ids]


def routes(urlconf: str) -> Iterator[tuple[str, URLPattern]]:
    def walk(patterns: Any, namespace: str) -> Iterator[tuple[str, URLPattern]]:
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                yield f"{namespace}{pattern.name}", pattern
            else:
                prefix = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
                yield from walk(pattern.url_patterns, prefix)

    return walk(get_resolver(urlconf).url_patterns, "")


def test_routes__of_a_tenant_host__are_all_attacked_below():
    assert {name: tuple(p.pattern.converters) for name, p in routes(TENANT_URLS)} == TENANT_ROUTES


def test_routes__of_the_apex__are_all_known():
    assert {name for name, _ in routes(CONTROL_URLS)} == CONTROL_ROUTES


@pytest.mark.parametrize("urlconf", [TENANT_URLS, CONTROL_URLS])
def test_routes__all__declare_a_permission_or_why_they_need_none(urlconf):
    for name, pattern in routes(urlconf):
        api = getattr(pattern.callback, "cls", None)
        access = getattr(pattern.callback, "access", None)
        if api is None:
            assert isinstance(access, Access), f"{name} declares nothing"
            assert access.permission in ALL or access.public_because, name
        else:
            declared = getattr(api, "permissions_by_method", {})
            handled = {m.upper() for m in api.http_method_names if hasattr(api, m)}
            assert getattr(api, "public_because", "") or handled <= set(declared), f"{name} declares too little"
            assert set(declared.values()) <= ALL, name


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", WITH_IDS)
def test_route__with_foreign_ids__finds_nothing_and_changes_nothing(route, method, home, loot, untouched, sign_in):
    client = sign_in(home)

    response = call(client, method, route, ids(loot))

    assert response.status_code in REFUSED, response.content
    assert loot.word.encode() not in body(response)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", [name for name, found in TENANT_ROUTES.items() if "document_id" in found])
def test_route__with_a_foreign_document_under_an_own_project__finds_nothing(
    route, method, home, own, loot, untouched, sign_in
):
    client = sign_in(home)

    response = call(client, method, route, {**ids(loot), "project_id": own.project.id})

    assert response.status_code in REFUSED, response.content
    assert loot.word.encode() not in body(response)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", WITHOUT_IDS)
def test_route__without_ids__shows_nothing_foreign(route, method, home, loot, untouched, sign_in):
    client = sign_in(home)

    response = call(client, method, route, ids(loot))

    assert response.status_code < 500
    assert loot.word.encode() not in body(response)


@pytest.mark.parametrize("route", TENANT_ROUTES)
def test_route__with_a_foreign_session__is_anonymous(route, home, foreign, loot, untouched, sign_in):
    intruder = sign_in(home)
    intruder.defaults["HTTP_HOST"] = foreign.host

    response = call(intruder, "get", route, ids(loot))

    assert response.status_code in {200, 302, 401, 405}
    assert loot.word.encode() not in body(response)
    if response.status_code == 302:
        assert "/sign-" in response["Location"]
    if response.status_code == 200:
        assert route in {"account_login", "set-password"}


def test_sign_in__with_a_foreign_members_password__is_refused_like_any_wrong_one(home, foreign):
    client = Client(HTTP_HOST=home.host)

    responses = [
        client.post("/sign-in/", {"login": email, "password": password})
        for email, password in [(foreign.owner.email, foreign.password), ("nobody@example.com", foreign.password)]
    ]

    assert [r.status_code for r in responses] == [200, 200]
    assert len({r.content.count(b'role="alert"') for r in responses}) == 1
    assert client.get("/api/v1/projects").status_code == 401


def test_session__of_a_member_of_both__is_valid_on_its_own_host_only(home, foreign, sign_in):
    with control("make a member of both"):
        Membership.objects.create(tenant=foreign.tenant, user=home.owner, role="owner", email=home.owner.email)
    client = sign_in(home)
    assert client.get("/").status_code == 200

    client.defaults["HTTP_HOST"] = foreign.host

    assert client.get("/").status_code == 302
    assert client.get("/api/v1/projects").status_code == 401


@pytest.mark.parametrize("route", TENANT_ROUTES)
def test_route__with_the_session_of_a_removed_member__is_anonymous(route, home, own, sign_in):
    client = sign_in(home)
    with control("remove a member"):
        kept = Membership.objects.get(tenant_id=home.tenant.id)
        Membership.objects.filter(id=kept.id).delete()

    response = call(client, "get", route, ids(own))
    with control("put the member back"):
        kept.save(force_insert=True)

    assert response.status_code in {200, 302, 401, 405}
    assert (response.status_code == 200) == (route in {"account_login", "set-password"})
    assert own.word.encode() not in body(response)


def ids(loot: Any) -> dict[str, Any]:
    token = make_password_token(loot.organization.owner)
    owner = loot.organization.owner
    return {"project_id": loot.project.id, "document_id": loot.document.id, "user_id": owner.id, "token": token}


def call(client: Client, method: str, route: str, found: dict[str, Any]) -> Any:
    path = reverse(route, kwargs={name: found[name] for name in TENANT_ROUTES[route]}, urlconf=TENANT_URLS)
    if method in ("get", "head", "options"):
        return getattr(client, method)(path)
    if route.startswith("api-"):
        return getattr(client, method)(path, json.dumps(FORM), content_type="application/json")
    if method == "post":
        return client.post(path, FORM)
    return getattr(client, method)(path, "name=overwritten", content_type="application/x-www-form-urlencoded")


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
