"""The pages of the apex, and those in front of an organization: what they say and where they lead."""

from __future__ import annotations

import re

import pytest
from cachetools.keys import hashkey
from django.conf import settings as configuration
from django.test import Client
from django.utils import timezone

from apps.accounts.services.people import make_password_token
from apps.operations import health
from apps.tenancy.context import control
from apps.tenants import slugs
from apps.tenants.links import authority, link
from apps.tenants.models import Domain, Tenant
from tests.support.clients import staff_browser
from tests.support.factories import PASSWORD

APEX = configuration.BASE_DOMAIN


def text(response) -> str:
    """What the page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture
def apex(platform, database) -> Client:
    return Client(HTTP_HOST=APEX)


@pytest.fixture
def asked_anew():
    """Nothing is kept of what the servers answered to another test."""
    health.recent_readiness.cache.clear()
    yield
    health.recent_readiness.cache.clear()


# -- front page --------------------------------------------------------------------------------------------------


def test_landing__for_anybody__leads_everywhere_without_a_query(apex, django_assert_num_queries):
    with django_assert_num_queries(0):
        page = apex.get("/")

    for path in ("/sign-up/", "/sign-in/", "/status/", "/find-organizations/", "/api/v1/docs/"):
        assert f'href="{path}"' in page.content.decode()
    assert apex.get("/api/v1/docs/").status_code == 200


def test_landing__figures__are_those_of_the_readme(apex):
    readme = " ".join((configuration.BASE_DIR / "README.md").read_text().split())

    page = text(apex.get("/"))

    for figure in ("712", "469", "4,291", "136 MiB", "105 MiB", "315", "513"):
        assert figure in page
        assert figure in readme
    assert "11 → 12 ms | 72 → 87 ms" in readme
    assert "12 ms 87 ms" in page
    assert "20, 48, 73 ms | 36, 67, 88 ms" in readme
    assert "48 ms 67 ms" in page


# -- the address of a new organization ---------------------------------------------------------------------------


def test_address__of_a_free_name__is_shown_as_free(apex):
    page = text(apex.get("/sign-up/address/", {"organization": "Brand  New & Co"}))

    assert page == f"{authority(f'brand-new-co.{APEX}')} is free"


def test_address__of_a_taken_name__shows_the_one_that_sign_up_then_gives(apex, acme):
    shown = text(apex.get("/sign-up/address/", {"organization": acme.tenant.slug}))
    apex.post("/sign-up/", {"organization": acme.tenant.slug, "email": "new@example.com", "password": PASSWORD})

    with control("look what was created"):
        created = Tenant.objects.get(slug=f"{acme.tenant.slug}-2")
    assert shown == f"{authority(acme.host)} is taken; yours will be {authority(f'{created.slug}.{APEX}')}"


def test_address__when_all_numbers_are_taken__promises_no_name(apex, monkeypatch, acme):
    monkeypatch.setattr(slugs, "numbered", lambda name: [acme.tenant.slug])

    page = text(apex.get("/sign-up/address/", {"organization": acme.tenant.slug}))

    assert page == f"{authority(acme.host)} is taken; yours will have a few more letters"


@pytest.mark.parametrize("name", ["", " ", "\x00", "a" * 201])
def test_address__without_a_name__is_a_hint(apex, name, django_assert_num_queries):
    with django_assert_num_queries(0):
        page = text(apex.get("/sign-up/address/", {"organization": name}))

    assert page == "Its address is made from this name."


def test_address__asked_too_often__is_refused(apex, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS = 2

    answers = [apex.get("/sign-up/address/", {"organization": "x"}).status_code for _ in range(3)]

    assert answers == [200, 200, 429]


def test_sign_up__with_errors__keeps_the_name_and_shows_its_address(apex):
    page = apex.post("/sign-up/", {"organization": "Without Script", "email": "me@example.com", "password": "short"})

    assert page.status_code == 422
    assert authority(f"without-script.{APEX}") in text(page)
    assert "data-reveal" in page.content.decode()


# -- signing in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["{slug}", " {SLUG} ", "{host}", "http://{host}:8000/sign-in/", "https://{host}"])
def test_sign_in__on_the_apex__leads_to_the_organizations_own_page(apex, acme, typed):
    slug = acme.tenant.slug

    answer = apex.post("/sign-in/", {"organization": typed.format(slug=slug, SLUG=slug.upper(), host=acme.host)})

    assert (answer.status_code, answer["Location"]) == (302, link(acme.host, "/sign-in/"))


def test_sign_in__on_the_apex_by_an_own_domain__leads_there(apex, acme):
    with control("give it a domain of its own"):
        own = Domain.objects.create(tenant=acme.tenant, domain="work.example", is_primary=False)

    answer = apex.post("/sign-in/", {"organization": "work.example"})
    with control("take it away"):
        own.delete()

    assert answer["Location"] == link("work.example", "/sign-in/")


@pytest.mark.parametrize(
    "typed", ["nobody-here", "", "evil.example", "//evil.example", "a b", "<b>", "\x00", "localhost"]
)
def test_sign_in__on_the_apex_with_what_is_no_address__stays_there(apex, typed):
    answer = apex.post("/sign-in/", {"organization": typed})

    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()


def test_pages_before_sign_in__of_an_organization__bear_its_name_and_can_show_the_password(acme):
    client = Client(HTTP_HOST=acme.host)
    with control("make a link"):
        secret = f"/sign-in/password/{acme.owner.id}/{make_password_token(acme.owner)}/"

    pages = [client.get(path).content.decode() for path in ("/sign-in/", "/sign-in/reset/", secret)]

    assert all(acme.tenant.name in page for page in pages)
    assert ["data-reveal" in page for page in pages] == [True, False, True]
    assert f'href="{link(APEX, "/sign-in/")}"' in pages[0]


# -- status ------------------------------------------------------------------------------------------------------


@pytest.fixture
def staff(platform, database) -> Client:
    return staff_browser(is_superuser=False)


def test_status__with_everything_there__says_so_in_words(apex, staff, asked_anew):
    page, of_staff = apex.get("/status/"), text(staff.get("/status/"))

    assert page.status_code == 200
    assert "Everything works" in text(page)
    assert "Everything works" in of_staff
    assert (text(page).count("Works"), of_staff.count("Works")) == (0, 4)
    assert 'hx-trigger="every 30s"' in page.content.decode()


def test_status__without_redis__tells_staff_which_part_and_no_more(apex, staff, asked_anew, settings):
    settings.CELERY_BROKER_URL = "redis://user:hidden@127.0.0.1:1/0"

    page, of_staff = text(apex.get("/status/")), text(staff.get("/status/"))

    assert "Something does not work" in page
    assert (page.count("Does not answer"), of_staff.count("Does not answer")) == (0, 1)
    assert "hidden" not in page + of_staff
    assert "127.0.0.1" not in page + of_staff


def test_status__asked_again_within_seconds__asks_no_server(apex, asked_anew, django_assert_num_queries):
    first = health.recent_readiness()

    with django_assert_num_queries(0):
        apex.get("/status/")

    assert health.recent_readiness.cache[hashkey()] is first


def test_status__of_a_part_that_was_not_looked_at__is_not_known(staff, asked_anew):
    health.recent_readiness.cache[hashkey()] = health.Readiness(timezone.now(), {"database": "unavailable"})

    page = text(staff.get("/status/"))

    assert (page.count("Does not answer"), page.count("Not known")) == (1, 3)
