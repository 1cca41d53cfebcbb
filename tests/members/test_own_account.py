"""A member's own profile, password and sessions."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.test import Client

from apps.accounts.models import Session
from apps.accounts.services import api_keys
from apps.tenancy.context import control
from tests.support.factories import PASSWORD, add_person, subject_of

from .changes import answer, bearer, fields, listed, membership, program, send

NEW_PASSWORD = "another password that is long enough"


# -- profile, password ------------------------------------------------------------------------------------------------


def test_profile__changed__is_what_the_organization_sees(home):
    user = add_person(home)
    client = program(home, user)
    seen = send(client, "GET", "/users/me")["ETag"]
    profile = {"name": "Ada Løvelace", "locale": "de-AT", "time_zone": "Europe/Vienna"}

    changed = send(client, "PATCH", "/users/me", profile, If_Match=seen)
    stale = send(client, "PATCH", "/users/me", {"name": "Other"}, If_Match=seen)

    assert {name: changed.json()[name] for name in profile} == profile
    assert stale.status_code == 412
    listed = send(program(home), "GET", f"/members/{membership(home, user).id}").json()
    assert listed["name"] == "Ada Løvelace"


BAD_PROFILES = [
    ({"name": "x" * 151}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": None}, "name"),
    ({"locale": "German"}, "locale"),
    ({"locale": "de_AT"}, "locale"),
    ({"locale": "de-" + "a" * 12}, "locale"),
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"time_zone": "../etc/passwd"}, "time_zone"),
]


@pytest.mark.parametrize(("content", "field"), BAD_PROFILES)
def test_profile__that_is_wrong__names_the_field(acme, content, field):
    response = send(program(acme, add_person(acme)), "PATCH", "/users/me", content)

    assert (response.status_code, fields(response)) == (400, {field})


def test_profile__of_a_key__does_not_exist(acme):
    _, key = api_keys.create_api_key(actor=acme.subject, name="key", scopes=["users:manage"])

    assert send(bearer(acme, key), "GET", "/users/me").status_code == 403


def test_password__changed__ends_all_sessions_and_tokens(home, sign_in):
    user = add_person(home)
    browser, client, other = sign_in(home, user), program(home, user), program(home, user)
    content = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}

    assert send(client, "POST", "/users/me/password", content).status_code == 204

    assert [send(c, "GET", "/users/me").status_code for c in (client, other, browser)] == [401, 401, 401]
    with control("look"):
        assert not Session.objects.filter(user_id=user.id).exists()
    anonymous = Client(HTTP_HOST=home.host)
    for password, status in [(PASSWORD, 401), (NEW_PASSWORD, 200)]:
        response = send(anonymous, "POST", "/auth/login", {"email": user.email, "password": password})
        assert response.status_code == status


BAD_PASSWORDS = [
    ({"old_password": "wrong", "new_password": NEW_PASSWORD}, 403, "old_password"),
    ({"old_password": PASSWORD, "new_password": "short"}, 400, "new_password"),
    ({"old_password": PASSWORD, "new_password": "yfdbufnjh10305070"}, 400, "new_password"),
    ({"old_password": PASSWORD}, 400, "new_password"),
    ({"new_password": NEW_PASSWORD}, 400, "old_password"),
]


@pytest.mark.parametrize(("content", "status", "field"), BAD_PASSWORDS)
def test_password__that_is_wrong_or_weak__names_the_field(acme, content, status, field):
    client = program(acme, add_person(acme))

    response = send(client, "POST", "/users/me/password", content)

    assert (response.status_code, fields(response)) == (status, {field})
    assert send(client, "GET", "/users/me").status_code == 200


def test_password__guessed_with_a_stolen_token__is_limited(acme):
    client = program(acme, add_person(acme))
    content = {"old_password": "wrong", "new_password": NEW_PASSWORD}

    statuses = [send(client, "POST", "/users/me/password", content).status_code for _ in range(12)]

    assert (statuses[0], statuses[-1]) == (403, 429)


# -- sessions ---------------------------------------------------------------------------------------------------------


def test_sessions__listed__are_ones_own_with_the_current_one_marked(home, foreign, sign_in):
    user = add_person(home)
    browser, client = sign_in(home, user), program(home, user)
    program(home), sign_in(home), program(foreign)

    by_client, by_browser = listed(client), listed(browser)

    assert sorted(s["kind"] for s in by_client) == ["browser", "client"]
    assert {s["id"] for s in by_client} == {s["id"] for s in by_browser}
    assert [s["kind"] for s in by_client if s["is_current"]] == ["client"]
    assert [s["kind"] for s in by_browser if s["is_current"]] == ["browser"]


@pytest.mark.parametrize("kind", ["browser", "client"])
def test_session__revoked__ends(home, sign_in, kind):
    user = add_person(home)
    ended = {"browser": lambda: sign_in(home, user), "client": lambda: program(home, user)}[kind]()
    session_id = listed(ended)[0]["id"]
    client = program(home, user)

    assert send(client, "DELETE", f"/sessions/{session_id}").status_code == 204

    assert send(ended, "GET", "/users/me").status_code == 401
    assert send(client, "GET", "/users/me").status_code == 200
    assert send(client, "DELETE", f"/sessions/{session_id}").status_code == 404


@pytest.mark.parametrize("kind", ["browser", "client"])
def test_session__of_somebody_else__cannot_be_revoked(home, sign_in, kind):
    owner = {"browser": lambda: sign_in(home), "client": lambda: program(home)}[kind]()
    session_id = listed(owner)[0]["id"]

    response = send(program(home, add_person(home)), "DELETE", f"/sessions/{session_id}")

    assert answer(response) == (404, "session_not_found")
    assert send(owner, "GET", "/users/me").status_code == 200


def test_sign_out_everywhere__ends_ones_own_sessions_here(home, sign_in):
    user = add_person(home)
    own = [sign_in(home, user), program(home, user), program(home, user)]
    colleague = program(home)

    assert send(own[1], "POST", "/auth/logout-everywhere").status_code == 204

    assert [send(c, "GET", "/users/me").status_code for c in own] == [401, 401, 401]
    assert send(colleague, "GET", "/users/me").status_code == 200


def test_sign_out_everywhere__from_a_browser__ends_that_one_too(home, sign_in):
    user = add_person(home)
    browser, client = sign_in(home, user), program(home, user)

    assert send(browser, "POST", "/auth/logout-everywhere").status_code == 204

    assert [send(c, "GET", "/users/me").status_code for c in (browser, client)] == [401, 401]


def test_browser__signed_in_and_out__is_recorded(home, sign_in):
    browser = sign_in(home)

    assert browser.post("/sign-out/").status_code == 302
    assert Client(HTTP_HOST=home.host).post("/sign-out/").status_code == 302

    assert send(browser, "GET", "/users/me").status_code == 401
    events = send(program(home), "GET", "/audit/events?action=session").json()["results"]
    assert [event["action"] for event in events][1:3] == ["session.ended", "session.started"]
    assert {event["actor"]["id"] for event in events[1:3]} == {str(home.owner.id)}


def test_members__listed__are_the_organizations_own(home, foreign):
    users = [home.owner, *(add_person(home) for _ in range(3))]
    add_person(foreign)

    rows = send(program(home), "GET", "/members?ordering=email&page_size=100").json()["results"]

    assert [row["email"] for row in rows] == sorted(user.email for user in users)
    assert {UUID(row["user_id"]) for row in rows} == {user.id for user in users}
    assert subject_of(home, users[1]).role == rows[1]["role"]


@pytest.mark.parametrize("has_key", [True, False])
def test_password__changed_by_somebody_with_keys__says_that_they_go_on(acme, sign_in, has_key):
    if has_key:
        api_keys.create_api_key(actor=acme.subject, name="Robot", scopes=["projects:read"])
    browser = sign_in(acme)

    page = browser.post("/security/", {"old_password": PASSWORD, "new_password": NEW_PASSWORD}, follow=True)

    assert ("API keys that you made go on working." in page.content.decode()) == has_key
