"""The pages of people: who sees what, and how they are found."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import invitations, members
from apps.tenancy.context import control
from tests.support.clients import membership_of
from tests.support.factories import add_person

from .people import invite, make_role, person_with, role_of, text

PAGES = {
    "/members/": "everybody",
    "/members/leave/": "everybody",
    "/roles/": "everybody",
    "/invitations/": "users:manage",
    "/invitations/new/": "users:manage",
    "/roles/new/": "roles:manage",
}


def queries(browser: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(path).status_code == 200
    return len(captured)


# -- who sees what ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_pages__asked_by_each_role__open_and_lead_where_the_role_may_go(acme, sign_in, role):
    browser = sign_in(acme, add_person(acme, role))
    manages = role in ("owner", "admin")

    found = {path: browser.get(path).status_code for path in PAGES}
    page = text(browser.get("/members/"))

    assert found == {path: 200 if manages or need == "everybody" else 403 for path, need in PAGES.items()}
    assert ('href="/invitations/"' in page, 'href="/invitations/new/"' in page) == (manages, manages)
    assert ('href="/members/"' in page, 'href="/roles/"' in page, 'href="/members/leave/"' in page) == (True,) * 3


def test_members__listed__show_name_address_role_and_since(acme, browser):
    role = make_role(acme, "Bookkeeper")
    user = person_with(acme, role)
    member = membership_of(acme, user)
    members.update_profile(actor=acme.subject, member_id=member.id, name="Grace Hopper")

    page = text(browser.get("/members/"))

    year = str(member.created_at.year)
    for shown in ("Grace Hopper", user.email, "Bookkeeper", ">GH</span>", year, acme.owner.email):
        assert shown in page


def test_members__listed_for_an_admin__offer_nothing_with_an_owner(acme, sign_in):
    viewer, admin = add_person(acme, "viewer"), add_person(acme, "admin")

    page = text(sign_in(acme, admin).get("/members/"))

    assert f"/members/{membership_of(acme, viewer).id}/remove/" in page
    assert str(membership_of(acme).id) not in page
    assert "/ownership/" not in page


def test_members__searched__are_those_with_the_text_in_name_or_address(acme, browser):
    grace, other = add_person(acme), add_person(acme)
    members.update_profile(actor=acme.subject, member_id=membership_of(acme, grace).id, name="Grace Hopper")

    by_name, by_address = text(browser.get("/members/?q=hopp")), text(browser.get("/members/", {"q": other.email}))
    nobody = browser.get("/members/?q=%00%25nobody")

    assert (grace.email in by_name, other.email in by_name) == (True, False)
    assert (grace.email in by_address, other.email in by_address) == (False, True)
    assert (nobody.status_code, "Nobody found" in text(nobody)) == (200, True)


def test_members__more_than_a_page__are_paged_with_the_search(acme, browser):
    with control("many members"):
        for number in range(27):
            user = User.objects.create(email=f"{number:02}@paged.example")
            Membership.objects.create(tenant=acme.tenant, user=user, role="viewer", email=user.email)

    first, last = text(browser.get("/members/?q=paged")), text(browser.get("/members/?q=paged&page=2"))

    assert ("24@paged.example" in first, "25@paged.example" in first) == (True, False)
    assert ("?q=paged&amp;page=2" in first, "26@paged.example" in last) == (True, True)


@pytest.mark.parametrize("path", ["/members/", "/invitations/", "/roles/", "/roles/new/"])
def test_page__with_more_rows__costs_no_more_queries(acme, browser, path):
    def furnish(number: int) -> None:
        role = make_role(acme, f"Role {number}", "projects:read")
        person_with(acme, role)
        invitations.invite(actor=acme.subject, email=f"{number}@example.com", role=Assigned("custom", role))

    furnish(1)
    browser.get(path)
    before = queries(browser, path)
    for number in range(2, 6):
        furnish(number)

    assert queries(browser, path) == before


def test_pages__with_what_others_wrote__escape_it(acme, browser):
    user = add_person(acme)
    mark = '<b>"x'
    members.update_profile(actor=acme.subject, member_id=membership_of(acme, user).id, name=mark)
    role = make_role(acme, mark)
    member = membership_of(acme, user)

    for path in ["/members/", "/roles/", f"/roles/{role.id}/", f"/roles/{role.id}/delete/", "/invitations/new/"]:
        assert mark not in text(browser.get(path)), path
    for part in ("role", "ownership", "remove"):
        assert mark not in text(browser.get(f"/members/{member.id}/{part}/")), part


@pytest.mark.parametrize("part", ["role", "ownership", "remove"])
def test_member__of_another_organization_or_unknown__is_not_found(home, foreign, sign_in, part):
    browser = sign_in(home)

    for member_id in (membership_of(foreign).id, uuid4()):
        for method in (browser.get, browser.post):
            assert method(f"/members/{member_id}/{part}/", {"role": "viewer"}).status_code == 404
    assert role_of(foreign) == "owner"


# -- elsewhere --------------------------------------------------------------------------------------------------------


def test_first_steps__of_those_who_invite__include_a_colleague(acme, sign_in):
    owner, member = sign_in(acme), sign_in(acme, add_person(acme))
    assert "Invite a colleague" in text(owner.get("/"))
    assert "Invite a colleague" not in text(member.get("/"))


def test_search__for_a_member__leads_to_them(acme, browser):
    user = add_person(acme)

    page = text(browser.get("/search/", {"q": user.email}))
    link = re.search(r'href="(/members/\?q=[^"]+)"', page)

    assert link
    assert user.email in text(browser.get(link[1]))


def test_forms__without_javascript__are_sent_with_what_is_on_the_page(acme, sign_in):
    browser = sign_in(acme, add_person(acme, "owner"))  # the one who created it must stay
    role, spare = make_role(acme, "Support"), make_role(acme, "Spare")
    person, heir = membership_of(acme, add_person(acme)), membership_of(acme, add_person(acme))
    first, second = invite(acme), invite(acme, "other@example.com")
    browser.handler.enforce_csrf_checks = True
    forms: list[tuple[str, dict[str, Any]]] = [
        (f"/members/{person.id}/role/", {"role": "viewer"}),
        (f"/members/{person.id}/remove/", {}),
        ("/invitations/new/", {"email": "new@example.com", "role": "member"}),
        (f"/invitations/{first.id}/resend/", {}),
        (f"/invitations/{second.id}/revoke/", {}),
        ("/roles/new/", {"name": "New"}),
        (f"/roles/{role.id}/", {"name": "Better"}),
        (f"/roles/{spare.id}/delete/", {}),
        (f"/members/{heir.id}/ownership/", {}),
        ("/members/leave/", {}),
    ]

    for path, sent in forms:
        page = text(browser.get("/invitations/" if path.endswith("resend/") else path))
        form = re.search(rf'action="{path}".*?name="csrfmiddlewaretoken" value="(\w+)"', page, re.DOTALL)
        assert form, path
        assert browser.post(path, {**sent, "csrfmiddlewaretoken": form[1]}).status_code == 302, path
        assert browser.post(path, sent).status_code in (302, 403, 404), path
