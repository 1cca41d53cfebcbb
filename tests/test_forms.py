"""What every form of the pages promises: nobody overwrites what they have not seen, and nothing is done twice."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.access import fingerprints
from apps.access.permissions import Role
from apps.access.services import idempotency
from apps.accounts.models import ApiKey, SupportVisit
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members, people
from apps.audit.models import ControlEvent, Event
from apps.core.routes import named_routes
from apps.projects.models import Document, Project
from apps.tenancy.context import control
from apps.tenants.models import Tenant
from tests.support import servers
from tests.support.clients import APEX, Crowd, membership_of, staff_browser
from tests.support.completeness import assert_complete
from tests.support.factories import Organization, add_person
from tests.support.pages import form_with
from tests.support.routes import CONTROL_URLS, NEEDS, OPEN, STAFF_ROUTES, address_of, is_api
from tests.support.things import LOGO, stock

PAGES = [name for name in NEEDS if not is_api(name) and name not in OPEN and name != "jwks"]
SIGNED_OUT = "You were signed out, so nothing was saved."

# Every page that changes a row: a field, what another tab makes of it, and what this one does.
EDITS: dict[str, tuple[str, str, str]] = {
    "projects:edit": ("name", "Theirs", "Mine"),
    "projects:field-edit": ("label", "Theirs", "Mine"),
    "role": ("name", "Theirs", "Mine"),
    "member-role": ("role", "viewer", "admin"),
    "profile": ("name", "Theirs", "Mine"),
    "settings": ("brand_name", "Theirs", "Mine"),
}
PREFILLED = {"invite", "projects:share", "projects:document-share"}  # with a choice that is no row's


@pytest.fixture
def ids(acme) -> dict[str, Any]:
    return stock(acme).arguments()


def log_of(organization: Organization) -> list[Any]:
    with organization.inside():
        inside = list(Event.objects.order_by("id").values_list("action", "resource_id"))
    with control("look"):
        return inside + list(ControlEvent.objects.order_by("id").values_list("action", "resource_id"))


# -- two tabs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", EDITS)
@pytest.mark.parametrize(("language", "saved"), [("en", "Saved now:"), ("de", "Jetzt gespeichert:")])
def test_edit__in_a_second_tab__shows_both_values_and_can_be_sent_again(acme, sign_in, ids, route, language, saved):
    field, theirs, mine = EDITS[route]
    browser, address = sign_in(acme), address_of(route, ids)
    members.update_profile(actor=acme.subject, member_id=membership_of(acme).id, locale=language)
    opened = form_with("expected", browser.get(address).content.decode())

    first = browser.post(address, {**opened, field: theirs})
    second = browser.post(address, {**opened, field: mine})

    assert (first.status_code, second.status_code) == (302, 422)
    page = second.content.decode()
    again = form_with("expected", page)
    assert again[field] == mine
    assert saved in page
    assert theirs.lower() in page.lower()
    assert browser.post(address, again).status_code == 302
    assert form_with("expected", browser.get(address).content.decode())[field] == mine


def test_pages__that_change_a_row__are_all_tried_above(acme, sign_in, ids, seen_contexts):
    members.update_profile(actor=acme.subject, member_id=membership_of(acme).id, name="Somebody")
    browser, changing = sign_in(acme), set()
    for route in PAGES:
        answer = browser.get(address_of(route, ids))
        form = answer.context.get("form") if answer.status_code == 200 and answer.context else None
        instance = getattr(form, "instance", None)
        if form is not None and (any(form.initial.values()) or (instance is not None and not instance._state.adding)):
            changing.add(route)

    assert_complete(EDITS, changing - PREFILLED, table="tests/test_forms.py:EDITS")


# -- twice -------------------------------------------------------------------------------------------------------


def forms() -> dict[str, dict[str, Any]]:
    """What is filled in, where an empty form would be refused."""
    return {
        "projects:create": {"name": "New"},
        "projects:edit": {"name": "Better"},
        "projects:document-upload": {"file": SimpleUploadedFile("a.txt", b"content")},
        "projects:field-create": {"label": "Cost", "key": "cost", "kind": "text"},
        "projects:field-edit": {"label": "Better"},
        "invite": {"email": "new@example.com", "role": "viewer"},
        "role-create": {"name": "Author", "permissions": ["projects:read"]},
        "role": {"name": "Better", "permissions": ["projects:read"]},
        "member-role": {"role": "viewer"},
        "key-create": {"name": "robot", "scopes": ["projects:read"], "expiry": "30"},
        "profile": {"name": "Better"},
        "settings": {"name": "Better", "locale": "en", "time_zone": "UTC"},
        "logo-upload": {"file": SimpleUploadedFile("logo.png", LOGO)},
    }


LAST = ("projects:document-delete", "projects:delete", "member-remove", "end-session", "sign-out-everywhere")


def test_form__of_every_page__sent_twice__is_carried_out_once(acme, sign_in, ids, subtests, settings):
    settings.ATTEMPT_LIMITS = dict.fromkeys(settings.ATTEMPT_LIMITS, (10000, 10000, 60))
    done = set()
    for route in [*(page for page in PAGES if page not in LAST), *LAST]:
        browser, address = sign_in(acme), address_of(route, ids)
        with subtests.test(route=route):
            first = browser.post(address, {**forms().get(route, {}), "csrfmiddlewaretoken": route})
            after = log_of(acme)
            second = browser.post(address, {**forms().get(route, {}), "csrfmiddlewaretoken": route})
            if first.status_code < 400:
                done.add(route)
            if route not in LAST:
                assert (second.status_code, second.headers.get("Location")) == (
                    first.status_code,
                    first.headers.get("Location"),
                )
            assert log_of(acme) == after
    assert done >= set(forms()), "these were refused, which proves nothing"


@pytest.mark.parametrize("route", ["key-create", "projects:document-upload"])
def test_form__sent_twice_at_once__is_carried_out_once_and_answered_the_same(acme, sign_in, ids, route):
    browsers, address = [sign_in(acme) for _ in range(3)], address_of(route, ids)
    with acme.inside():
        documents = Document.objects.count()
    with control("look"):
        keys = ApiKey.objects.count()

    with Crowd(3) as crowd:
        answers = crowd.all(lambda n: browsers[n].post(address, {**forms()[route], "csrfmiddlewaretoken": "one"}))

    assert len({(answer.status_code, answer.headers.get("Location"), answer.content) for answer in answers}) == 1
    with acme.inside():
        assert Document.objects.count() - documents == (route != "key-create")
    with control("look"):
        assert ApiKey.objects.count() - keys == (route == "key-create")


@pytest.mark.parametrize("route", ["projects:document-upload", "logo-upload"])
def test_form__with_two_files_for_one__is_refused(acme, sign_in, ids, route):
    browser, before = sign_in(acme), log_of(acme)

    answer = browser.post(address_of(route, ids), {"file": [SimpleUploadedFile(f"{n}.png", LOGO) for n in range(2)]})

    assert (answer.status_code, b"Send one file at a time." in answer.content) == (422, True)
    assert log_of(acme) == before


def test_form__with_another_first_file_of_two__is_another_form():
    def fingerprint(*contents: bytes) -> str:
        files = [SimpleUploadedFile("a.txt", content) for content in contents]
        return fingerprints.of_form(RequestFactory().post("/", {"file": files}))

    assert fingerprint(b"a", b"c") == fingerprint(b"a", b"c")
    assert len({fingerprint(b"a", b"c"), fingerprint(b"b", b"c"), fingerprint(b"c")}) == 3


def test_form__that_took_the_right_from_its_sender__sent_twice__is_answered_the_same(acme, sign_in):
    person = add_person(acme, Role.ADMIN)
    browser, address = sign_in(acme, person), address_of("member-role", {"member_id": membership_of(acme, person).id})
    content = {"role": "viewer", "csrfmiddlewaretoken": "one"}

    first, again, other = (browser.post(address, {**content, **more}) for more in ({}, {}, {"role": "admin"}))

    assert (first.status_code, again.status_code, other.status_code) == (302, 302, 403)
    assert again["Location"] == first["Location"]


def test_form__that_was_refused__may_be_sent_again(acme, sign_in):
    browser = sign_in(acme)
    content = {"name": "Plan", "csrfmiddlewaretoken": "one"}
    browser.post("/projects/new/", {**content, "csrfmiddlewaretoken": "other"})
    refused = browser.post("/projects/new/", content)
    with acme.inside():
        Project.objects.all().delete()

    assert (refused.status_code, browser.post("/projects/new/", content).status_code) == (422, 302)


def test_form__carried_out_by_a_process_that_died__is_not_carried_out_again(acme, sign_in, monkeypatch):
    browser = sign_in(acme)
    content = {"name": "Plan", "csrfmiddlewaretoken": "one"}
    monkeypatch.setattr(idempotency, "finish", lambda *_: None)
    monkeypatch.setattr(idempotency, "ABANDONED_AFTER", idempotency.KEPT * 0)
    browser.post("/projects/new/", content)
    before = log_of(acme)

    again = browser.post("/projects/new/", content, headers={"Referer": f"http://{acme.host}/projects/new/"})

    assert (again.status_code, again["Location"]) == (302, "/projects/new/")
    assert "That was done already." in browser.get("/projects/").content.decode()
    assert log_of(acme) == before


def test_sign_up__sent_twice_at_once__creates_one_organization_and_leads_to_it(platform, database):
    content = {"organization": "Twice", "email": "twice@example.com", "password": "a password that is long"}

    with Crowd(2) as crowd:
        answers = crowd.all(
            lambda _: Client(HTTP_HOST=APEX).post("/sign-up/", {**content, "csrfmiddlewaretoken": "one"})
        )

    assert {answer.status_code for answer in answers} == {302}
    assert len({answer["Location"] for answer in answers}) == 1
    with control("look"):
        assert Tenant.objects.filter(name="Twice").count() == 1
    refused = Client(HTTP_HOST=APEX).post("/sign-up/", {**content, "email": "x", "csrfmiddlewaretoken": "two"})
    assert refused.status_code == 422


# Every page for everybody that something is sent from: its host, its address and what is filled in; or why not.
OPEN_FORMS: dict[str, Any] = {
    "sign-up": lambda acme: (APEX, "/sign-up/", {"organization": "New", "email": "x@example.com", "password": LONG}),
    "find-organizations": lambda acme: (APEX, "/find-organizations/", {"email": acme.owner.email}),
    "reset-password": lambda acme: (acme.host, "/sign-in/reset/", {"email": acme.owner.email}),
    "set-password": lambda acme: (acme.host, password_link(acme), {"password": LONG}),
    "accept-invitation": lambda acme: (acme.host, invitation_link(acme), {"name": "Eve", "password": LONG}),
}
REPEATABLE = {
    "account_login": "the browser needs the session of the one that it waits for",
    "account_logout": "whoever is out stays out",
    "choose-organization": "leads to a page and changes nothing",
    "theme": "sets what is already set",
    "visit-end": "what is over stays over",
}
LONG = "four words that nobody has"


def password_link(acme: Organization) -> str:
    return f"/sign-in/password/{acme.owner.pk}/{people.make_password_token(acme.owner)}/"


def invitation_link(acme: Organization) -> str:
    with acme.inside():
        sent = invitations.invite(actor=acme.subject, email="eve@example.com", role=Assigned("viewer"))
    return address_of("accept-invitation", {"token": invitations.make_token(sent)})


def waiting() -> int:
    """The mails and whatever else is to be done, in all of the database."""
    with servers.as_operator() as connection:
        (found,) = connection.execute("SELECT count(*) FROM platform.outbox").fetchone() or (0,)
    return int(found)


def test_forms__of_everybody__are_all_tried_below(acme, ids):
    addresses = {name: (acme.host, address_of(name, ids)) for name in OPEN if not is_api(name)}
    for name, pattern in named_routes(CONTROL_URLS):
        access = getattr(pattern.callback, "access", None)
        if access and access.public_because and name not in STAFF_ROUTES and not pattern.pattern.converters:
            addresses[name] = (APEX, reverse(name, urlconf=CONTROL_URLS))
    allowed = {
        name: Client(HTTP_HOST=host).options(address).headers["Allow"] for name, (host, address) in addresses.items()
    }

    taking = {name for name, methods in allowed.items() if "POST" in methods}

    assert_complete({**OPEN_FORMS, **REPEATABLE}, taking, table="tests/test_forms.py:OPEN_FORMS or REPEATABLE")


@pytest.mark.parametrize("route", OPEN_FORMS)
def test_form__of_somebody_unknown__sent_twice__is_carried_out_once_and_answered_the_same(acme, route):
    host, address, content = OPEN_FORMS[route](acme)
    content = {**content, "csrfmiddlewaretoken": "one"}
    first = Client(HTTP_HOST=host).post(address, content)
    after, mails = log_of(acme), waiting()

    second = Client(HTTP_HOST=host).post(address, content)

    assert (first.status_code, second.status_code, second["Location"]) == (302, 302, first["Location"])
    assert (log_of(acme), waiting()) == (after, mails)


def test_form__of_staff__sent_twice__is_carried_out_once(acme):
    browser = staff_browser(is_superuser=True)
    address = reverse("admin:tenants_tenant_enter", args=[acme.tenant.id], urlconf=CONTROL_URLS)
    content = {"reason": "A look at it", "csrfmiddlewaretoken": "one"}

    answers = [browser.post(address, content) for _ in range(2)]

    assert {answer.status_code for answer in answers} == {302}
    assert len({answer["Location"] for answer in answers}) == 1
    with control("look"):
        assert SupportVisit.objects.count() == 1


# -- signed out meanwhile ----------------------------------------------------------------------------------------


def test_form__sent_after_the_session_ended__leads_back_to_its_page_and_says_so(acme, sign_in, ids, subtests):
    for route in PAGES:
        nobody, address = Client(HTTP_HOST=acme.host), address_of(route, ids)
        origins = {
            f"http://{acme.host}/projects/?page=1": "/projects/%3Fpage%3D1",
            "http://elsewhere.example/projects/": "/",
            "": "/",
        }
        for origin, back in origins.items():
            with subtests.test(route=route, origin=origin):
                answer = nobody.post(address, {"name": "x"}, headers={"Referer": origin} if origin else {})
                assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={back}")
        assert SIGNED_OUT in nobody.get("/sign-in/").content.decode()


def test_part__asked_for_by_htmx_after_the_session_ended__leads_back_to_the_page(acme):
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://{acme.host}/audit-log/?live=1"}

    answer = Client(HTTP_HOST=acme.host).get("/audit/people/", headers=headers)

    assert answer["HX-Redirect"] == "/sign-in/?next=/audit-log/%3Flive%3D1"
