"""Support visits: staff looks into one organization, for an hour, changes nothing, and is seen doing it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.errors import HandoffRefused
from apps.accounts.models import Membership, Session, SupportVisit, User
from apps.accounts.services import api_keys, visits
from apps.accounts.services.handoff import issue_handoff_code
from apps.accounts.visiting import VISIT_KEY
from apps.audit.actors import SYSTEM
from apps.audit.models import ControlEvent, Event
from apps.core import clocks
from apps.projects.models import Project
from apps.staff import services as staff
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.links import link
from apps.tenants.services import lifecycle
from tests.support.clients import APEX, Browser
from tests.support.factories import PASSWORD, Organization, add_document, add_person, add_project
from tests.support.routes import NEEDS, SHOWN_TO_ALL, TENANT_URLS, body, call, is_api
from tests.support.sampling import a_third
from tests.support.things import stock

REASON = "Ticket 4711: a document does not open"
END = "/staff-visit/end/"
UNSAFE = ("post", "put", "patch", "delete")
VISITED = {"organization:read", "projects:list", "projects:read", "audit:view"}  # what visitors may, said again
NOT_VISITED = {
    "projects:document-link": 302,
    "projects:document-download": 403,
    "verify-chain": 405,  # only ever posted to
    "brand-logo": 404,  # there is none
}


@pytest.fixture
def person(platform, database) -> User:
    """A superuser."""
    return appoint()


@pytest.fixture
def office(person) -> Client:
    """The superuser's browser, on the apex."""
    return signed_in(person)


@pytest.fixture
def visitor(office, acme) -> Client:
    """A browser on a visit to acme."""
    return enter(office, acme)


def appoint(*, is_superuser: bool = True) -> User:
    email = f"staff{uuid4().hex}@example.com"
    return staff.appoint(email=email, password=PASSWORD, is_superuser=is_superuser, actor=SYSTEM)


def signed_in(person: User) -> Client:
    client = Client(HTTP_HOST=APEX)
    assert (
        client.post("/admin/login/?next=/admin/", {"username": person.email, "password": PASSWORD}).status_code == 302
    )
    return client


def ask(office: Client, organization: Organization, reason: str = REASON) -> Any:
    return office.post(f"/admin/tenants/tenant/{organization.tenant.id}/enter/", {"reason": reason})


def follow(address: str, client: Client | None = None) -> Client:
    parts = urlsplit(address)
    client = client or Client(HTTP_HOST=parts.hostname, raise_request_exception=False)
    client.get(f"{parts.path}?{parts.query}")
    return client


def enter(office: Client, organization: Organization) -> Client:
    return follow(ask(office, organization)["Location"])


def visit_of(person: User) -> SupportVisit:
    with control("look"):
        return SupportVisit.objects.select_related("user").filter(user=person).latest("created_at")


def told(organization: Organization) -> list[Event]:
    with organization.inside():
        return list(Event.objects.filter(action__startswith="visit.").order_by("occurred_at"))


def recorded(organization: Organization, person: User) -> list[ControlEvent]:
    with control("look"):
        about = ControlEvent.objects.filter(tenant_id=organization.tenant.id, action__startswith="visit.")
        return list(about.filter(actor_id=str(person.id)).order_by("occurred_at"))


def is_out(client: Client) -> bool:
    response = client.get("/")
    return response.status_code == 302 and response["Location"].startswith("/sign-in/")


# -- coming in -----------------------------------------------------------------------------------------------------


def test_visit__with_a_reason__leads_to_the_organizations_host_and_shows_a_banner(office, home, person):
    answer = ask(office, home)
    page = follow(answer["Location"]).get("/")

    assert answer.status_code == 302
    assert urlsplit(answer["Location"]).hostname == home.host
    assert page.status_code == 200
    until = visit_of(person).expires_at.strftime("%H:%M")
    assert home.tenant.name in page.content.decode()
    assert "End visit" in page.content.decode()
    assert until in page.content.decode()


def test_page__that_asks_for_the_reason__lets_its_form_lead_to_that_host_only(office, acme):
    page = office.get(f"/admin/tenants/tenant/{acme.tenant.id}/enter/")

    directives = [part.strip() for part in page["Content-Security-Policy"].split(";")]
    targets = [part for part in directives if part.startswith("form-action")]
    assert targets == [f"form-action 'self' {link(acme.host, path='')}"]


@pytest.mark.parametrize("reason", ["", "   "])
def test_visit__without_a_reason__is_not_granted(office, acme, person, reason):
    assert ask(office, acme, reason).status_code == 422

    with control("look"):
        assert not SupportVisit.objects.filter(user=person).exists()


def test_visit__asked_for_by_staff_without_superuser__is_refused(acme):
    person = appoint(is_superuser=False)

    answer = ask(signed_in(person), acme)

    assert answer.status_code == 403
    with control("look"):
        assert not SupportVisit.objects.filter(user=person).exists()


def test_visit__to_a_held_organization__is_not_granted(office, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)

    answer = ask(office, acme)

    assert answer.status_code == 422
    assert b">Enter<" not in office.get(f"/admin/tenants/tenant/{acme.tenant.id}/change/").content


def test_code__used_twice__begins_one_visit(office, acme):
    address = ask(office, acme)["Location"]

    first, second = follow(address), follow(address)

    assert not is_out(first)
    assert is_out(second)


def test_code__older_than_a_minute__begins_nothing(office, acme, person):
    address = ask(office, acme)["Location"]
    with control("let time pass"):
        past = clocks.over() - timedelta(seconds=61)
        SupportVisit.objects.update(created_at=past, expires_at=past + timedelta(hours=1))

    assert is_out(follow(address))
    assert visit_of(person).started_at is None


def test_code__shown_to_another_organization__begins_nothing(office, home, foreign):
    parts = urlsplit(ask(office, home)["Location"])

    client = follow(f"http://{foreign.host}{parts.path}?{parts.query}")

    assert is_out(client)
    assert not is_out(follow(parts.geturl()))


def test_code__of_somebody_dismissed_meanwhile__begins_nothing(person, acme):
    code = visits.grant(tenant_id=acme.tenant.id, user_id=person.id, reason=REASON)
    with control("take rights"):
        User.objects.filter(id=person.id).update(is_superuser=False)

    with acme.inside(), pytest.raises(HandoffRefused):
        visits.begin(code=code)


def test_member__whose_browser_begins_a_visit__is_signed_out_by_it(office, acme, sign_in):
    browser = sign_in(acme)

    follow(ask(office, acme)["Location"], browser)

    assert browser.get("/settings/").status_code == 403
    browser.post(END)
    assert is_out(browser)


def test_member__handed_over_in_a_browser_on_a_visit__is_signed_in_and_visits_no_more(visitor, acme):
    code = issue_handoff_code(tenant_id=acme.tenant.id, person=acme.owner)

    answer = visitor.get("/sign-in/handoff/", {"code": code})

    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert b"End visit" not in visitor.get("/").content
    assert visitor.get("/settings/").status_code == 200


# -- what is seen --------------------------------------------------------------------------------------------------


def test_page__asked_for_on_a_visit__is_shown_or_refused_by_what_visitors_may(office, acme, subtests):
    values, browser = stock(acme).arguments(), Browser(lambda: enter(office, acme))

    for route, needs in NEEDS.items():
        if is_api(route):
            continue
        with subtests.test(route):
            response = call(browser.open(), "get", route, values)

            assert response.status_code in {200, 302, 403, 405, 404}
            if needs["GET"] in VISITED:
                assert response.status_code == NOT_VISITED.get(route, 200)
                if response.status_code == 200 and b"</html>" in body(response):
                    assert b"End visit" in body(response)
            elif response.status_code == 200:
                assert route in SHOWN_TO_ALL
    assert not is_out(browser.open())


def test_api__asked_on_a_visit__does_not_know_the_visitor(office, acme, subtests):
    values, browser = stock(acme).arguments(), Browser(lambda: enter(office, acme))

    for route in [name for name in NEEDS if is_api(name)]:
        with subtests.test(route):
            response = call(browser.open(), "get", route, values)

            assert response.status_code in {200, 401, 405}
            assert (response.status_code == 200) == (route in SHOWN_TO_ALL)
    assert not is_out(browser.open())


def test_private_project__on_a_visit__is_not_there(visitor, acme):
    project = add_project(acme, "Redundancies")
    with acme.inside():
        Project.objects.filter(id=project.id).update(is_private=True)

    assert visitor.get(f"/projects/{project.id}/").status_code == 404
    assert b"Redundancies" not in visitor.get("/projects/").content


def test_pages__on_a_visit__offer_nothing_that_is_refused(visitor, acme):
    add_document(acme, add_project(acme))

    for path in ("/", "/projects/", "/members/", "/roles/", "/audit/", "/search/?q=o"):
        page = visitor.get(path).content.decode()
        assert page.count('method="post"') == 1, path  # the end of the visit
        for offered in ("/theme/", "/profile/", "/settings/", "/api-keys/", "Follow live", "/audit/export"):
            assert offered not in page, (path, offered)


def test_member__while_staff_visits__sees_no_other_members_than_before(visitor, acme, sign_in):
    with control("look"):
        assert Membership.objects.filter(tenant_id=acme.tenant.id).count() == 1
    members = sign_in(acme).get("/members/").content.decode()

    assert "staff" not in members


# -- what is done --------------------------------------------------------------------------------------------------


@pytest.mark.sampled
def test_unsafe_method__on_a_visit__is_refused_and_changes_nothing(office, acme, subtests):
    values, browser = stock(acme).arguments(), Browser(lambda: enter(office, acme))

    for route in a_third(name for name in NEEDS if name != "visit-end"):
        visitor = browser.open()
        with subtests.test(route), acme.untouched():
            for method in UNSAFE:
                response = call(visitor, method, route, values)
                assert response.status_code == 403, method
                if is_api(route):
                    assert response.json()["code"] == "visit_read_only"
                else:
                    assert b"Visits are for looking only" in response.content


def test_token__shown_by_a_visiting_browser__is_taken_for_what_it_is(visitor, acme):
    _, key = api_keys.create_api_key(actor=acme.subject, name="CI", scopes=["projects:read", "projects:write"])

    response = visitor.post(
        "/api/v1/projects", '{"name": "By a key"}', content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip

    assert response.status_code == 201


# -- how it ends ---------------------------------------------------------------------------------------------------


def test_visit__ended_by_its_button__is_over_at_once(visitor, acme):
    response = visitor.post(END)

    assert (response.status_code, response["Location"]) == (302, "/sign-in/")
    assert is_out(visitor)
    with control("look"):
        sessions = Session.objects.filter(tenant_id=acme.tenant.id)
        assert not any(VISIT_KEY in session.get_decoded() for session in sessions)


def test_visit__whose_hour_is_over__is_over(visitor, person):
    with control("let time pass"):
        SupportVisit.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert is_out(visitor)
    assert visitor.post("/projects/new/", {"name": "x"}).status_code == 302


def test_visit__longer_than_an_hour__cannot_be_stored(visitor, person):
    with pytest.raises(IntegrityError), control("stretch a visit"), atomic():
        SupportVisit.objects.update(expires_at=timezone.now() + timedelta(hours=2))


@pytest.mark.parametrize("taken", ["is_active", "is_staff", "is_superuser"])
def test_visit__of_somebody_who_loses_the_right__is_over_with_the_next_request(visitor, person, taken):
    with control("take rights"):
        User.objects.filter(id=person.id).update(**{taken: False})

    assert is_out(visitor)


def test_visit__of_somebody_dismissed_and_appointed_again__stays_over(visitor, person, acme):
    staff.dismiss(email=person.email, actor=SYSTEM)
    staff.appoint(email=person.email, password=PASSWORD, is_superuser=True, actor=SYSTEM)

    assert is_out(visitor)
    assert [event.action for event in recorded(acme, person)] == ["visit.granted", "visit.redeemed", "visit.ended"]


def test_visit__of_staff_who_signs_out__is_over(visitor, office):
    office.post("/admin/logout/")

    assert is_out(visitor)


def test_visit__of_staff_whose_browser_signs_in_as_somebody_else__is_over(visitor, office):
    other = appoint(is_superuser=False)

    office.post("/admin/login/?next=/admin/", {"username": other.email, "password": PASSWORD})

    assert is_out(visitor)


def test_visit__of_staff_who_signs_in_once_more__goes_on(visitor, office, person):
    office.post("/admin/login/?next=/admin/", {"username": person.email, "password": PASSWORD})

    assert not is_out(visitor)


def test_visit__to_an_organization_that_is_put_on_hold__is_refused_like_everybody(visitor, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="because", actor=SYSTEM)

    assert visitor.get("/").status_code == 403
    assert b"End visit" not in visitor.get("/").content


def test_session__of_a_visit__on_another_organizations_host__is_worthless(office, home, foreign):
    visitor = enter(office, home)
    assert visitor.get("/").status_code == 200

    visitor.defaults["HTTP_HOST"] = foreign.host

    assert is_out(visitor)


def test_second_visit__after_the_first__does_not_open_the_first_session_again(visitor, office, acme):
    kept = Client(HTTP_HOST=acme.host)
    kept.cookies = visitor.cookies.copy()
    visitor.post(END)

    second = enter(office, acme)

    assert is_out(kept)
    assert not is_out(second)


# -- what is recorded ----------------------------------------------------------------------------------------------


def test_visit__from_start_to_end__is_in_the_logs_of_both_planes(office, home, person):
    visitor = enter(office, home)
    visitor.get("/members/")
    visitor.post("/members/leave/")
    visitor.post(END)

    inside, about = told(home), recorded(home, person)
    assert [event.action for event in inside] == ["visit.started", "visit.page_shown", "visit.finished"]
    assert [event.action for event in about] == ["visit.granted", "visit.redeemed", "visit.ended"]
    for event in [*inside, *about]:
        assert (event.actor_type, event.actor_id) == ("staff", str(person.id))
        assert event.metadata["staff"] == person.email
    assert inside[0].metadata["reason"] == about[0].metadata["reason"] == REASON
    assert inside[1].metadata["path"] == "/members/"


def test_document__downloaded_on_a_visit__is_told(office, acme):
    document = add_document(acme, add_project(acme), b"content")
    visitor = enter(office, acme)

    link_address = reverse("projects:document-link", args=[document.project_id, document.id], urlconf=TENANT_URLS)
    answer = visitor.get(link_address, follow=True)

    assert answer.getvalue() == b"content"
    assert [event.metadata["path"] for event in told(acme)[1:]] == [link_address, answer.request["PATH_INFO"]]


def test_form__filled_in_wrongly_on_a_visit__is_told_with_the_page_that_it_came_with(visitor, acme):
    other = add_person(acme)

    answer = visitor.get("/audit/", {"person": "@"})

    assert answer.status_code == 422
    assert other.email in answer.content.decode()
    assert [event.metadata["path"] for event in told(acme) if "path" in event.metadata] == ["/audit/"]


def test_audit_log__of_the_organization__names_the_visitor(visitor, acme, person, sign_in):
    visitor.get("/members/")

    log = sign_in(acme).get("/audit/").content.decode()

    assert person.email in log
    assert REASON in log
    assert "visit.page_shown" in log


def test_page__that_cannot_be_recorded__is_not_shown(visitor, monkeypatch):
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("apps.accounts.services.visits.audit.record", refuse)

    response = visitor.get("/members/")

    assert response.status_code == 500
    assert b"<table" not in response.content
