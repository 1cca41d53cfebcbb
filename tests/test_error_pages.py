"""What people read when something is not possible: what happened, and what they can do about it."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.conf import settings as configuration
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory

from apps.access.permissions import Role
from apps.accounts.models import CustomRole, Membership, User
from apps.accounts.roles import Assigned
from apps.audit.actors import SYSTEM
from apps.core import problems
from apps.core.error_pages import BY_CODE, BY_STATUS
from apps.tenancy.context import control
from apps.tenants.links import apex_link
from apps.tenants.models import Tenant
from apps.tenants.services import lifecycle
from apps.workspace import selectors
from tests.support.factories import Organization, add_person
from tests.support.limits import allow

APEX = configuration.BASE_DOMAIN
HTMX = {"HX-Request": "true"}


class Nobody:
    """A request's user who must not be asked for."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the page asked for the user's {name}")


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def visit(organization: Organization, path: str = "/", **headers: str) -> HttpResponse:
    client = Client(HTTP_HOST=organization.host, raise_request_exception=False)
    return client.get(path, headers=headers)


@pytest.fixture
def person(acme):
    def make(role: Assigned, name: str) -> User:
        user = add_person(acme, role.role if role.custom_role is None else Role.VIEWER)
        with control("give a name"):
            Membership.objects.filter(user=user).update(name=name, **role.fields)
        return user

    return make


# -- what is not there -------------------------------------------------------------------------------------------


def test_404__on_an_organizations_host__bears_its_name(acme):
    page = visit(acme, "/nothing/")

    assert page.status_code == 404
    assert acme.tenant.name in words(page)
    assert "There is nothing here" in words(page)
    assert 'href="/"' in page.content.decode()


def test_404__of_a_thing__says_what_is_missing(acme, sign_in):
    page = sign_in(acme).get(f"/projects/{uuid4()}/")

    assert page.status_code == 404
    assert "There is no such project." in words(page)


def test_404__on_an_unknown_host__leads_to_finding_ones_organization(platform, database):
    page = Client(HTTP_HOST=f"nobody.{APEX}").get("/")

    assert page.status_code == 404
    assert "No organization answers here" in words(page)
    assert f'href="{apex_link("/find-organizations/")}"' in page.content.decode()


# -- what one may not do -----------------------------------------------------------------------------------------


def test_403__of_a_member__names_the_permission_and_who_can_give_it(acme, person, sign_in):
    viewer = person(Assigned(Role.VIEWER), "Vera")
    person(Assigned(Role.ADMIN), "Adam")
    person(Assigned(Role.MEMBER), "Mona")

    page = sign_in(acme, viewer).get("/projects/new/")

    assert page.status_code == 403
    assert "Create and change projects and documents" in words(page)
    assert "projects:write" in words(page)
    assert "Adam" in words(page)
    assert f"mailto:{acme.owner.email}" in page.content.decode()
    assert "Mona" not in words(page)


def test_403__of_a_member__names_nobody_who_lacks_the_permission_themselves(acme, person, sign_in):
    with control("make roles"):
        host = CustomRole.objects.create(tenant=acme.tenant, name="Host", permissions=["users:manage"])
        lead = CustomRole.objects.create(
            tenant=acme.tenant, name="Lead", permissions=["users:manage", "projects:read", "projects:write"]
        )
    viewer = person(Assigned(Role.VIEWER), "Vera")
    person(Assigned(Role.CUSTOM, host), "Hanna")
    person(Assigned(Role.CUSTOM, lead), "Lena")

    page = words(sign_in(acme, viewer).get("/projects/new/"))

    assert "Lena" in page
    assert "Hanna" not in page


def test_403__names_nobody_of_another_organization(acme, platform, person, sign_in):
    viewer = person(Assigned(Role.VIEWER), "Vera")

    page = sign_in(acme, viewer).get("/projects/new/").content.decode()

    others = [o.owner.email for pair in platform.values() for o in pair if o.tenant.id != acme.tenant.id]
    assert not [email for email in others if email in page]


def test_403__of_an_expired_form__says_that_nothing_was_saved(acme):
    client = Client(HTTP_HOST=acme.host, enforce_csrf_checks=True)

    page = client.post("/sign-in/", {"login": "x", "password": "y"})

    assert page.status_code == 403
    assert "This form has expired" in words(page)


def test_403__of_a_used_link__says_how_to_get_a_new_one(acme):
    page = visit(acme, "/invitation/used-up/")

    assert page.status_code == 403
    assert "This link no longer works" in words(page)


def test_403__of_an_organization_on_hold__gives_the_reason(acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="an unpaid <b>bill</b>", actor=SYSTEM)

    page = visit(acme, "/sign-in/")
    lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)

    assert page.status_code == 403
    assert acme.tenant.name in words(page)
    assert "an unpaid &lt;b&gt;bill&lt;/b&gt;" in page.content.decode()


# -- what is asked in the wrong way ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("get", "/sign-out/", "POST"), ("post", "/", "GET, HEAD"), ("options", "/", "GET, HEAD")],
)
def test_405__on_a_page__is_a_page_that_keeps_what_is_allowed(acme, sign_in, method, path, allowed):
    page = getattr(sign_in(acme), method)(path)

    assert page.status_code == 405
    assert page["Allow"] == allowed
    assert "This cannot be done here" in words(page)
    assert acme.tenant.name in words(page)


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("BREW", "/", "GET, HEAD"),
        ("DELETE", "/projects/new/", "GET, HEAD, POST"),
        ("PATCH", "/sign-in/", "GET, HEAD, POST"),
        ("PUT", "/theme/", "POST"),
        ("POST", "/projects/new/", None),
        ("POST", "/sign-in/", None),
    ],
)
def test_method__that_a_page_does_not_know__without_a_token__is_answered_405(
    acme, sign_in, method, path, allowed, signed_in
):
    cookies = sign_in(acme).cookies if signed_in else {}
    browser = Client(HTTP_HOST=acme.host, enforce_csrf_checks=True)
    browser.cookies.update(cookies)

    page = browser.generic(method, path)

    assert (page.status_code, page.headers.get("Allow")) == ((403, None) if allowed is None else (405, allowed))


@pytest.mark.parametrize(
    ("method", "path"), [("put", "/api/v1/projects"), ("post", "/api/v1/docs/"), ("post", "/api/v1/schema/")]
)
def test_405__of_the_api__is_a_problem(acme, sign_in, method, path):
    answer = getattr(sign_in(acme), method)(path)

    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "method_not_allowed"


# -- what htmx asks for ------------------------------------------------------------------------------------------


def test_403__for_htmx__tells_the_missing_permission_and_who_gives_it(acme, person, sign_in):
    viewer = person(Assigned(Role.VIEWER), "Vera")
    person(Assigned(Role.ADMIN), "Adam")

    message = sign_in(acme, viewer).get("/projects/new/", headers=HTMX)

    assert message.status_code == 403
    assert message.content.count(b"data-problem=") == 1
    assert b"<html" not in message.content
    assert "This takes the right “Create and change projects and documents”" in words(message)
    assert "Missing permission: projects:write" in words(message)
    assert "Adam" in words(message)


def test_404_and_409__for_htmx__say_what_is_wrong(acme, sign_in):
    missing = sign_in(acme).get(f"/projects/{uuid4()}/edit/", headers=HTMX)
    request = RequestFactory().post("/", headers=HTMX)
    broken = problems.domain_error_response(request, problems.DomainError("Somebody was faster."))

    assert (missing.status_code, broken.status_code) == (404, 409)
    assert "There is no such project." in words(missing)
    assert "Somebody was faster." in words(broken)


def test_429__for_htmx__tells_the_seconds(acme, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    visit(acme, "/sign-in/")

    message = visit(acme, "/sign-in/", **HTMX)

    assert message.status_code == 429
    assert f"You can try again in {message['Retry-After']} seconds." in words(message)
    assert b"<html" not in message.content


# -- what does not fit -------------------------------------------------------------------------------------------


def test_400__of_what_cannot_be_read__says_so():
    page = problems.bad_request(RequestFactory().get("/"))

    assert page.status_code == 400
    assert "That could not be understood" in words(page)


def test_409__of_a_rule__says_which():
    page = problems.domain_error_response(RequestFactory().post("/"), problems.DomainError("Somebody was faster."))

    assert page.status_code == 409
    assert "Somebody was faster." in words(page)
    assert "Refresh" not in page


def test_413__of_a_form_that_is_too_large__says_that_nothing_was_saved(acme, sign_in, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    page = sign_in(acme).post("/projects/new/", {"name": "x", "description": "y" * 2000})

    assert page.status_code == 413
    assert "That is too large" in words(page)


def test_429__counts_down_to_when_one_may_try_again(acme, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 1
    visit(acme, "/sign-in/")

    page = visit(acme, "/sign-in/")

    assert page.status_code == 429
    assert f'data-countdown="{page["Retry-After"]}"' in page.content.decode()
    assert f"You can try again in {page['Retry-After']} seconds" in words(page)


def test_429__of_attempts_to_sign_in__counts_down_too(acme, settings):
    allow(settings, "sign-in", account=1, seconds=60)
    client = Client(HTTP_HOST=acme.host)
    client.post("/sign-in/", {"login": "x@example.com", "password": "y"})

    page = client.post("/sign-in/", {"login": "x@example.com", "password": "y"})

    assert page.status_code == 429
    assert f'data-countdown="{page["Retry-After"]}"' in page.content.decode()


# -- what is our fault -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "status"), [(RuntimeError, 500), (OperationalError, 503)])
def test_error__in_a_view__is_a_page_that_needs_no_database(acme, sign_in, monkeypatch, error, status):
    def fail(*_: Any) -> None:
        raise error("internal detail")

    client = sign_in(acme)
    monkeypatch.setattr(selectors, "storage_of", fail)

    page = client.get("/")

    assert page.status_code == status
    assert acme.tenant.name in words(page)
    assert "internal detail" not in page.content.decode()


@pytest.mark.parametrize("answer", [problems.server_error, problems.away])
@pytest.mark.parametrize("path", ["/", "/api/v1/projects"])
def test_error__on_our_side__asks_neither_database_nor_user(acme, answer, path, django_assert_num_queries):
    request: Any = RequestFactory().get(path)
    request.user, request.session, request.tenant = Nobody(), Nobody(), acme.tenant

    with django_assert_num_queries(0):
        page = answer(request)

    assert page.status_code in (500, 503)


def test_500__shows_the_number_of_the_request():
    with structlog.contextvars.bound_contextvars(request_id="r-4711"):
        page = problems.server_error(RequestFactory().get("/projects/"))

    assert "Something went wrong on our side" in words(page)
    assert 'value="r-4711"' in page.content.decode()


@pytest.mark.parametrize("code", BY_CODE)
def test_error__of_every_known_code__is_a_page(code):
    page = problems.error_response(RequestFactory().get("/"), 403, code, "detail")

    assert str(BY_CODE[code].title) in words(page)


@pytest.mark.parametrize("status", BY_STATUS)
def test_error__of_every_known_status__is_a_page(status):
    page = problems.error_response(RequestFactory().get("/"), status, "any", "detail")

    assert page.status_code == status
    assert str(BY_STATUS[status].title) in words(page)
    assert str(BY_STATUS[status].advice) in words(page)


@pytest.mark.parametrize("status", [402, 410, 415, 418, 502])
def test_error__of_any_other_status__is_a_page(status):
    page = problems.error_response(RequestFactory().get("/"), status, "any", "What happened.")

    assert page.status_code == status
    assert "What happened." in words(page)


@pytest.mark.parametrize(("method", "reloads"), [("get", True), ("post", False)])
def test_503__reloads_by_itself__unless_something_was_sent(method, reloads):
    page = problems.away(getattr(RequestFactory(), method)("/projects/"))

    assert ("Refresh" in page) is reloads
    assert page["Retry-After"] == "1"


def test_503__of_a_place_that_is_being_prepared__reloads(acme):
    with control("as if it were new"):
        Tenant.objects.filter(id=acme.tenant.id).update(status="provisioning")

    page = visit(acme)

    assert page.status_code == 503
    assert "A place is being prepared" in words(page)
    assert page["Refresh"] == "2"


def test_error__has_the_theme_that_was_chosen(acme):
    page = visit(acme, "/nothing/", cookie="theme=dark")

    assert 'data-theme="dark"' in page.content.decode()


@pytest.mark.parametrize("theme", ["", "no-theme", '"><script>'])
def test_error__without_a_known_theme__is_as_the_system_has_it(acme, theme):
    page = visit(acme, "/nothing/", cookie=f"theme={theme}")

    assert "data-theme" not in page.content.decode()
