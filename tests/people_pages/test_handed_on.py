"""What ends with a membership is named before, and listed after."""

from __future__ import annotations

import pytest

from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, members, sharing
from tests.support.clients import membership_of
from tests.support.factories import add_person, add_project, subject_of

from .people import make_role, person_with, text


def hand_on(organization, user):
    actor = subject_of(organization, user)
    api_keys.create_api_key(actor=actor, name="Nightly robot", scopes=["projects:read"])
    invitations.invite(actor=actor, email="guest@example.com", role=Assigned("member"))


@pytest.mark.parametrize("page", ["remove", "role"])
def test_member__who_has_handed_on_power__is_shown_with_it_before_it_ends(acme, browser, page):
    user, other = add_person(acme, "admin"), add_person(acme, "admin")
    hand_on(acme, user)

    shown = text(browser.get(f"/members/{membership_of(acme, user).id}/{page}/"))
    without = text(browser.get(f"/members/{membership_of(acme, other).id}/{page}/"))

    assert ("Nightly robot" in shown, "guest@example.com" in shown) == (True, True)
    assert ("Nightly robot" in without, "guest@example.com" in without) == (False, False)


def test_leave__of_somebody_who_has_handed_on_power__names_it(acme, sign_in):
    user = add_person(acme, "admin")
    hand_on(acme, user)

    assert "Nightly robot" in text(sign_in(acme, user).get("/members/leave/"))


def test_ended_accesses__after_a_removal__say_what_whose_and_why(acme, browser):
    user = add_person(acme, "admin")
    hand_on(acme, user)
    members.remove_member(actor=acme.subject, member_id=membership_of(acme, user).id)

    page = text(browser.get("/audit/ended/"))

    for said in ("Nightly robot", "guest@example.com", "API key", "Invitation", "They were removed"):
        assert said in page, said
    assert page.count(user.email) >= 3  # whose membership, key and invitation it was
    assert page.count(acme.owner.email) >= 3  # by whom


def test_ended_accesses__of_every_kind__are_listed(acme, browser, sign_in):
    user, project = add_person(acme), add_project(acme, "Plan")
    with acme.inside():
        sharing.share(actor=acme.subject, resource=project, user_id=user.id, relation="viewer")
        sharing.unshare(actor=acme.subject, resource=project, user_id=user.id)
    key = api_keys.create_api_key(actor=acme.subject, name="Old robot", scopes=["projects:read"])[0]
    api_keys.revoke_api_key(actor=acme.subject, key_id=key.id)
    members.change_role(actor=acme.subject, member_id=membership_of(acme, user).id, role=Assigned("viewer"))
    sign_in(acme, user).post("/security/sign-out-everywhere/")

    page = text(browser.get("/audit/ended/"))

    for said in ("Share", "Old robot", "member → viewer", "All sessions"):
        assert said in page, said


def test_ended_accesses__read_by_an_auditor__tell_nothing_of_what_they_do_not_see(acme, sign_in):
    auditor, user, project = person_with(acme, make_role(acme, "Auditor", "audit:view")), add_person(acme), None
    project = add_project(acme, "Plan")
    with acme.inside():
        sharing.share(actor=acme.subject, resource=project, user_id=user.id, relation="editor")
        sharing.unshare(actor=acme.subject, resource=project, user_id=user.id)

    page = text(sign_in(acme, auditor).get("/audit/ended/"))

    assert "Share" in page
    assert ("editor" in page, user.email in page) == (False, False)
