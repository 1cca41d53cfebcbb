"""Every route of both hosts, attacked with a foreign organization's ids and sessions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.access.guards import Access
from apps.access.permissions import ALL, EVERYONE
from apps.accounts.models import Membership, Session
from apps.accounts.services.people import make_password_token
from apps.core.routes import named_routes
from apps.tenancy.context import control
from tests.factories import Organization

TENANT_URLS, CONTROL_URLS = "config.urls_tenant", "config.urls_control"
METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
REFUSED = {401, 403, 404, 405}
FORM = {"name": "overwritten", "description": "overwritten"}

# Every route of a tenant's host by name, and the ids that it takes. A route that is missing here fails.
TENANT_ROUTES: dict[str, tuple[str, ...]] = {
    "overview": (),
    "search": (),
    "theme": (),
    "projects:list": (),
    "projects:create": (),
    "projects:detail": ("project_id",),
    "projects:edit": ("project_id",),
    "projects:delete": ("project_id",),
    "projects:shares": ("project_id",),
    "projects:share": ("project_id",),
    "projects:unshare": ("project_id",),
    "projects:document-upload": ("project_id",),
    "projects:document-link": ("project_id", "document_id"),
    "projects:document-download": ("project_id", "document_id"),
    "projects:document-delete": ("project_id", "document_id"),
    "projects:document-shares": ("project_id", "document_id"),
    "projects:document-share": ("project_id", "document_id"),
    "projects:document-unshare": ("project_id", "document_id"),
    "account_login": (),
    "set-password": ("user_id", "token"),
    "reset-password": (),
    "accept-invitation": ("token",),
    "verify-email": ("token",),
    "account_logout": (),
    "account_signup": (),
    "handoff": (),
    "visit": (),
    "visit-end": (),
    "members": (),
    "leave": (),
    "member-role": ("member_id",),
    "member-ownership": ("member_id",),
    "member-remove": ("member_id",),
    "invitations": (),
    "invite": (),
    "invitation-resend": ("invitation_id",),
    "invitation-revoke": ("invitation_id",),
    "roles": (),
    "role-create": (),
    "role": ("role_id",),
    "role-delete": ("role_id",),
    "profile": (),
    "send-verification": (),
    "security": (),
    "end-session": ("session_id",),
    "sign-out-everywhere": (),
    "audit-log": (),
    "audit-people": (),
    "verify-chain": (),
    "api-keys-page": (),
    "key-create": (),
    "key-revoke": ("key_id",),
    "settings": (),
    "logo-upload": (),
    "logo-remove": (),
    "danger-zone": (),
    "brand-logo": (),
    "mailed-logo": ("token",),
    "brand-css": (),
    "projects:fields": (),
    "projects:field-create": (),
    "projects:field-edit": ("field_id",),
    "projects:field-delete": ("field_id",),
    "api-login": (),
    "api-refresh": (),
    "api-logout": (),
    "api-logout-everywhere": (),
    "api-validate": (),
    "api-password-reset": (),
    "api-find-organizations": (),
    "api-me": (),
    "api-password": (),
    "api-verification": (),
    "api-organization": (),
    "api-members": (),
    "api-leave": (),
    "api-member": ("member_id",),
    "api-ownership": ("member_id",),
    "api-invitations": (),
    "api-accept": (),
    "api-invitation": ("invitation_id",),
    "api-resend": ("invitation_id",),
    "api-roles": (),
    "api-role": ("role_id",),
    "api-permissions": (),
    "api-keys": (),
    "api-key": ("key_id",),
    "api-sessions": (),
    "api-session": ("session_id",),
    "api-settings": (),
    "api-logo": (),
    "api-audit-events": (),
    "api-audit-export": (),
    "api-projects": (),
    "api-projects-bulk": (),
    "api-project": ("project_id",),
    "api-documents": ("project_id",),
    "api-document": ("project_id", "document_id"),
    "api-document-content": ("project_id", "document_id"),
    "api-project-shares": ("project_id",),
    "api-project-share": ("project_id", "user_id"),
    "api-document-shares": ("project_id", "document_id"),
    "api-document-share": ("project_id", "document_id", "user_id"),
    "api-custom-fields": (),
    "api-custom-field": ("field_id",),
    "api-schema": (),
    "api-docs": (),
    "jwks": (),
}
# The models that staff sees on the apex, and what can be done there with one of them besides looking.
STAFF_MODELS: dict[str, tuple[str, ...]] = {
    "tenants_tenant": ("enter", "hold", "release", "resume"),
    "tenants_domain": (),
    "tenants_placement": (),
    "tenants_pool": (),
    "accounts_membership": (),
    "accounts_user": (),
    "accounts_supportvisit": (),
    "audit_controlevent": (),
}
STAFF_ROUTES = {
    *(f"admin:{name}" for name in ("index", "login", "logout", "jsi18n", "search", "app_list", "None")),
    *(f"admin:{model}_{page}" for model in STAFF_MODELS for page in ("changelist", "change", "history")),
    *(f"admin:{model}_{act}" for model, acts in STAFF_MODELS.items() for act in acts),
    "staff-fleet",
    "staff-fleet-retry",
    "staff-outbox",
    "staff-outbox-retry",
}


def is_api(route: str) -> bool:
    """Whether a route is the API's; pages about it end with -page."""
    return route.startswith("api-") and not route.endswith("-page")


API_ROUTES = {name for name in TENANT_ROUTES if is_api(name)} | {"jwks"}
DEV_ROUTES = {"dev-inbox", "dev-mail", "dev-mail-html", "dev-templates", "dev-template", "dev-template-html"}
CONTROL_ROUTES = {
    "landing",
    "sign-up",
    "sign-up-address",
    "status",
    "theme",
    "components",
    "choose-organization",
    "find-organizations",
    "api-register",
    *DEV_ROUTES,
    *API_ROUTES,
    *STAFF_ROUTES,
}
PROVEN_BY_TOKEN = {"set-password", "accept-invitation", "verify-email", "mailed-logo"}
WITH_IDS = [name for name, ids in TENANT_ROUTES.items() if ids and name not in PROVEN_BY_TOKEN]
WITHOUT_IDS = [name for name in TENANT_ROUTES if name not in WITH_IDS]
# What anybody may look at; everything else answers the anonymous with a refusal or the way to the sign-in page.
OPEN = {"account_login", "set-password", "reset-password", "brand-css", "api-schema", "api-docs", "jwks"}


def test_routes__of_a_tenant_host__are_all_attacked_below():
    assert {name: tuple(p.pattern.converters) for name, p in named_routes(TENANT_URLS)} == TENANT_ROUTES


def test_routes__of_the_apex__are_all_known():
    assert {name for name, _ in named_routes(CONTROL_URLS)} == CONTROL_ROUTES


@pytest.mark.parametrize("urlconf", [TENANT_URLS, CONTROL_URLS])
def test_routes__all__declare_a_permission_or_why_they_need_none(urlconf):
    for name, pattern in named_routes(urlconf):
        api = getattr(pattern.callback, "cls", None)
        access = getattr(pattern.callback, "access", None)
        if api is None:
            assert isinstance(access, Access), f"{name} declares nothing"
            assert access.permission in ALL | EVERYONE or access.public_because or access.staff_because, name
            assert bool(access.staff_because) == (name in STAFF_ROUTES - {"admin:login"}), name
        else:
            declared = getattr(api, "permissions_by_method", {})
            handled = {m.upper() for m in api.http_method_names if hasattr(api, m)}
            assert getattr(api, "public_because", "") or handled <= set(declared), f"{name} declares too little"
            assert set(declared.values()) <= ALL | EVERYONE, name


@pytest.mark.parametrize("route", WITH_IDS)
def test_route__with_foreign_ids__finds_nothing_and_changes_nothing(route, home, loot, untouched, sign_in):
    client = sign_in(home)

    for method in METHODS:
        response = call(client, method, route, ids(loot))
        assert response.status_code in REFUSED, (method, response.content)
        assert loot.word.encode() not in body(response), method


@pytest.mark.parametrize("route", [name for name, found in TENANT_ROUTES.items() if "document_id" in found])
def test_route__with_a_foreign_document_under_an_own_project__finds_nothing(route, home, own, loot, untouched, sign_in):
    client = sign_in(home)

    for method in METHODS:
        response = call(client, method, route, {**ids(loot), "project_id": own.project.id})
        assert response.status_code in REFUSED, (method, response.content)
        assert loot.word.encode() not in body(response), method


@pytest.mark.parametrize("route", WITHOUT_IDS)
def test_route__without_ids__shows_nothing_foreign(route, home, loot, untouched, sign_in):
    client = sign_in(home)
    for method in METHODS:
        if not is_signed_in(home):  # any more, after the method before
            client = sign_in(home)
        response = call(client, method, route, ids(loot))
        assert response.status_code < 500, (method, response.content)
        assert loot.word.encode() not in body(response), method


@pytest.mark.parametrize("route", TENANT_ROUTES)
def test_route__with_a_foreign_session__is_anonymous(route, home, foreign, loot, untouched, sign_in):
    intruder = sign_in(home)
    intruder.defaults["HTTP_HOST"] = foreign.host

    response = call(intruder, "get", route, ids(loot))

    assert response.status_code in {200, 302, 401, 403, 405}
    assert loot.word.encode() not in body(response)
    if response.status_code == 302:
        assert "/sign-" in response["Location"]
    if response.status_code == 200:
        assert route in OPEN


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

    assert response.status_code in {200, 302, 401, 403, 405}
    assert (response.status_code == 200) == (route in OPEN)
    assert own.word.encode() not in body(response)


def ids(loot: Any) -> dict[str, Any]:
    return {**loot.ids, "token": make_password_token(loot.organization.owner)}


def call(client: Client, method: str, route: str, found: dict[str, Any]) -> Any:
    path = reverse(route, kwargs={name: found[name] for name in TENANT_ROUTES[route]}, urlconf=TENANT_URLS)
    if method in ("get", "head", "options"):
        return getattr(client, method)(path)
    if is_api(route):
        return getattr(client, method)(path, json.dumps(FORM), content_type="application/json")
    if method == "post":
        return client.post(path, FORM)
    return getattr(client, method)(path, "name=overwritten", content_type="application/x-www-form-urlencoded")


def is_signed_in(organization: Organization) -> bool:
    with control("look at the sessions"):
        return Session.objects.filter(user_id=organization.owner.pk).exists()


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content
