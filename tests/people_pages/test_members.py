"""Members, changed by page."""

from __future__ import annotations

import re

import pytest

from apps.accounts.models import Membership
from apps.tenancy.context import control
from tests.support.clients import membership_of
from tests.support.factories import add_person

from .people import HTMX, make_role, role_of, text


def test_role__changed_by_its_page__holds_and_is_announced(home, sign_in):
    browser, user = sign_in(home), add_person(home)
    role = make_role(home, "Bookkeeper", "billing:view")
    path = f"/members/{membership_of(home, user).id}/role/"

    assert re.search(r'value="member"\s+selected', text(browser.get(path)))
    response = browser.post(path, {"role": str(role.id)}, follow=True)

    assert response.redirect_chain == [("/members/", 302)]
    assert f"The role of {user.email} is Bookkeeper now." in text(response)
    assert role_of(home, user) == "Bookkeeper"
    assert re.search(rf'value="{role.id}"\s+selected', text(browser.get(path)))


@pytest.mark.parametrize("role", ["", "king", "00000000-0000-4000-8000-000000000000"])
def test_role__that_there_is_not__is_an_error_of_the_field(acme, browser, role):
    user = add_person(acme)

    response = browser.post(f"/members/{membership_of(acme, user).id}/role/", {"role": role})

    assert (response.status_code, 'id="id_role_error"' in text(response)) == (422, True)
    assert role_of(acme, user) == "member"


def test_role__beyond_what_one_has__is_neither_offered_nor_given(acme, sign_in):
    browser, user = sign_in(acme, add_person(acme, "admin")), add_person(acme)
    make_role(acme, "Bookkeeper", "billing:manage")
    path = f"/members/{membership_of(acme, user).id}/role/"

    page, response = text(browser.get(path)), browser.post(path, {"role": "owner"})

    assert ('value="admin"' in page, 'value="owner"' in page, "Bookkeeper" in page) == (True, False, False)
    assert (response.status_code, role_of(acme, user)) == (422, "member")


def test_role__of_the_last_owner__stays(acme, browser):
    response = browser.post(f"/members/{membership_of(acme).id}/role/", {"role": "viewer"})

    assert (response.status_code, "An organization needs an owner." in text(response)) == (422, True)
    assert role_of(acme) == "owner"


def test_role__changed_in_a_dialog__tells_htmx_where_to_go(acme, browser):
    user = add_person(acme)
    path = f"/members/{membership_of(acme, user).id}/role/"

    wrong = browser.post(path, {"role": "king"}, headers=HTMX)
    done = browser.post(path, {"role": "viewer"}, headers=HTMX)

    assert (wrong.status_code, 'id="dialog-page"' in text(wrong)) == (422, True)
    assert (done.status_code, done["HX-Redirect"], role_of(acme, user)) == (204, "/members/", "viewer")


def test_member__removed_by_their_page__is_out(home, sign_in):
    user = add_person(home)
    browser, theirs = sign_in(home), sign_in(home, user)
    path = f"/members/{membership_of(home, user).id}/remove/"

    assert "Remove member" in text(browser.get(path))
    response = browser.post(path, follow=True)

    assert f"{user.email} is no longer a member." in text(response)
    assert theirs.get("/members/").status_code == 302
    assert browser.get(path).status_code == 404


def test_member__that_one_may_not_touch__stays(acme, sign_in):
    browser = sign_in(acme, add_person(acme, "admin"))

    response = browser.post(f"/members/{membership_of(acme).id}/remove/")

    assert (response.status_code, "Nobody can give or take away" in text(response)) == (422, True)
    assert role_of(acme) == "owner"


def test_ownership__transferred_by_its_page__changes_both_roles(home, sign_in):
    browser, heir = sign_in(home), add_person(home)
    path = f"/members/{membership_of(home, heir).id}/ownership/"

    assert "Transfer ownership" in text(browser.get(path))
    response = browser.post(path, follow=True)

    assert f"{heir.email} is the owner now, and you are an admin." in text(response)
    assert (role_of(home, heir), role_of(home)) == ("owner", "admin")


def test_ownership__transferred_by_somebody_who_has_none__is_refused(acme, sign_in):
    browser, heir = sign_in(acme, add_person(acme, "admin")), add_person(acme)

    response = browser.post(f"/members/{membership_of(acme, heir).id}/ownership/")

    assert (response.status_code, "Only an owner can transfer" in text(response)) == (422, True)
    assert role_of(acme, heir) == "member"


def test_organization__left_by_its_page__signs_out_with_a_word(home, sign_in):
    user = add_person(home)
    browser = sign_in(home, user)

    assert "Leave" in text(browser.get("/members/leave/"))
    response = browser.post("/members/leave/", follow=True)

    assert response.redirect_chain == [("/sign-in/", 302)]
    assert "You are no longer a member." in text(response)
    assert browser.get("/members/").status_code == 302
    with control("look"):
        assert not Membership.objects.filter(tenant=home.tenant, user=user).exists()


def test_organization__left_by_its_last_owner__says_why_not(acme, browser):
    response = browser.post("/members/leave/")

    assert (response.status_code, "An organization needs an owner." in text(response)) == (422, True)
    assert role_of(acme) == "owner"
