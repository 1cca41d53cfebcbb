"""Every route of both hosts, attacked with a foreign organization's ids and sessions.

Each test asks all routes, so that there is one sign-in and one piece of loot for all of them; each route is a
subtest, which starts signed in whatever the one before has done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client

from apps.access.guards import Access
from apps.access.permissions import ALL, EVERYONE
from apps.accounts.models import Membership
from apps.core.routes import named_routes
from apps.tenancy.context import control
from tests.support.clients import Browser
from tests.support.completeness import assert_complete
from tests.support.factories import Organization
from tests.support.routes import (
    APEX_ROUTES,
    API_ROUTES,
    CONTROL_URLS,
    METHODS,
    NEEDS,
    PATTERNS,
    SHOWN_TO_ALL,
    STAFF_ROUTES,
    TENANT_URLS,
    arguments_of,
    body,
    call,
)
from tests.support.sampling import in_turn
from tests.support.things import THINGS

REFUSED = {401, 403, 404, 405}
# What a token proves is open to whoever has it; the ids of all others are looked up.
WITH_IDS = [route for route in NEEDS if arguments_of(route) and "token" not in arguments_of(route)]
WITHOUT_IDS = [route for route in NEEDS if route not in WITH_IDS]
ABOUT_DOCUMENTS = [route for route in NEEDS if "document_id" in arguments_of(route)]
# What anybody may look at; everything else answers the anonymous with a refusal or the way to the sign-in page.
# An invitation shows itself to its own token only, and none is tried here.
OPEN = SHOWN_TO_ALL - {"accept-invitation"}


def test_routes__of_a_tenant_host__are_all_attacked_below():
    assert_complete(NEEDS, PATTERNS, table="tests/support/routes.py:NEEDS")


def test_routes__of_the_apex__are_all_known():
    found = {name for name, _ in named_routes(CONTROL_URLS)}

    assert_complete(APEX_ROUTES | API_ROUTES, found, table="tests/support/routes.py:APEX_ROUTES")


def test_arguments__of_all_routes__are_ids_of_things():
    found = {name for route in NEEDS for name in arguments_of(route)} - {"token"}

    assert_complete({t.argument for t in THINGS.values() if t.argument}, found, table="tests/support/things.py:THINGS")


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


@pytest.mark.sampled
def test_route__with_foreign_ids__finds_nothing_and_changes_nothing(placement, home, loot, browser, subtests):
    values = loot.arguments()

    for route in in_turn(WITH_IDS, placement):
        with subtests.test(route), loot.organization.untouched():
            client = browser.open()
            for method in METHODS:
                response = call(client, method, route, values)
                assert response.status_code in REFUSED, (method, response.content)
                assert loot.word.encode() not in body(response), method
    assert browser.open().get("/").status_code == 200  # it was no lost session that was refused


@pytest.mark.sampled
def test_route__with_a_foreign_document_under_an_own_project__finds_nothing(
    placement, home, own, loot, browser, subtests
):
    values = {**loot.arguments(), "project_id": own.project.id}

    for route in in_turn(ABOUT_DOCUMENTS, placement):
        with subtests.test(route), loot.organization.untouched():
            client = browser.open()
            for method in METHODS:
                response = call(client, method, route, values)
                assert response.status_code in REFUSED, (method, response.content)
                assert loot.word.encode() not in body(response), method
    assert browser.open().get("/").status_code == 200  # it was no lost session that was refused


@pytest.mark.sampled
def test_route__without_ids__shows_nothing_foreign(placement, home, loot, browser, subtests):
    values = loot.arguments()

    for route in in_turn(WITHOUT_IDS, placement):
        with subtests.test(route), loot.organization.untouched():
            for method in METHODS:  # any of which may sign out
                response = call(browser.open(), method, route, values)
                assert response.status_code < 500, (method, response.content)
                assert loot.word.encode() not in body(response), method
    assert browser.open().get("/").status_code == 200  # it was no lost session that was refused


@pytest.mark.sampled
def test_route__with_a_foreign_session__is_anonymous(placement, home, foreign, loot, browser, subtests):
    values = loot.arguments()

    for route in in_turn(NEEDS, placement):
        with subtests.test(route), loot.organization.untouched():
            response = call(browser.open(host=foreign.host), "get", route, values)

            assert response.status_code in {200, 302, 401, 403, 405}
            assert loot.word.encode() not in body(response)
            if response.status_code == 302:
                assert "/sign-" in response["Location"]
            if response.status_code == 200:
                assert route in OPEN
    assert browser.open().get("/").status_code == 200  # it was no lost session that was refused


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


@pytest.mark.sampled
def test_route__with_the_session_of_a_removed_member__is_anonymous(placement, home, own, browser, subtests):
    values = own.arguments()

    for route in in_turn(NEEDS, placement):
        client = browser.open()
        with subtests.test(route), removed(home):
            response = call(client, "get", route, values)

            assert response.status_code in {200, 302, 401, 403, 405}
            assert (response.status_code == 200) == (route in OPEN)
            assert own.word.encode() not in body(response)
    assert browser.open().get("/").status_code == 200  # it was no lost session that was refused


@pytest.fixture
def browser(home, sign_in) -> Browser:
    """The owner's at home."""
    return Browser(lambda: sign_in(home))


@contextmanager
def removed(organization: Organization) -> Iterator[None]:
    """The owner is no member for a while."""
    with control("remove a member"):
        kept = Membership.objects.get(tenant_id=organization.tenant.id, user=organization.owner)
        Membership.objects.filter(id=kept.id).delete()
    try:
        yield
    finally:
        with control("put the member back"):
            kept.save(force_insert=True)
