"""Members of an organization: roles, removal, ownership, custom roles, profiles, sessions, passwords."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client

from apps.accounts import subjects
from apps.accounts.decisions import authorize
from apps.accounts.errors import BeyondOwnRights, LastOwner, MemberNotFound
from apps.accounts.models import Membership, Session, TokenFamily, User
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, roles, sharing, tokens
from apps.accounts.tasks import withdraw_shares
from apps.projects.services import projects
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests import servers
from tests.factories import PASSWORD, Organization, add_person, found, subject_of

API = "/api/v1"
NEW_PASSWORD = "another password that is long enough"


def membership(organization: Organization, user: User) -> Membership:
    with control("look"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role")
        return rows.get(tenant=organization.tenant, user=user)


def program(organization: Organization, user: User | None = None) -> Client:
    """A client of the API with a person's token."""
    pair = tokens.issue(membership(organization, user or organization.owner))
    return bearer(organization, pair.access)


def bearer(organization: Organization, token: str) -> Client:
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {token}", raise_request_exception=False)


def send(client: Client, method: str, path: str, content: Any = None, **headers: str) -> Any:
    return client.generic(
        method,
        f"{API}{path}",
        "" if content is None else json.dumps(content),
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def answer(response: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]


def fields(response: Any) -> set[str]:
    return {error["field"] for error in response.json()["errors"]}


def role_of(organization: Organization, user: User) -> str:
    return membership(organization, user).role_name


def person_with(organization: Organization, *permissions: str, name: str = "Special") -> User:
    """A member with a role of the organization's own."""
    user = add_person(organization)
    role = roles.create_role(actor=organization.subject, name=name, permissions=list(permissions))
    member = membership(organization, user)
    members.change_role(actor=organization.subject, member_id=member.id, role=Assigned("custom", role))
    return user


# -- roles of members --------------------------------------------------------------------------------------------


def test_role__changed__acts_on_the_next_request_of_session_and_token(home, sign_in):
    user = add_person(home, "member")
    browser, client = sign_in(home, user), program(home, user)
    assert send(client, "POST", "/projects", {"name": "One"}).status_code == 201

    changed = send(program(home), "PATCH", f"/members/{membership(home, user).id}", {"role": "viewer"})

    assert (changed.status_code, changed.json()["role"]) == (200, "viewer")
    assert send(client, "GET", "/projects").status_code == 401
    assert send(browser, "POST", "/projects", {"name": "Two"}).status_code == 403
    assert send(browser, "GET", "/projects").status_code == 200
    assert send(program(home, user), "POST", "/projects", {"name": "Two"}).status_code == 403


def test_member__removed__is_out_on_the_next_request(home, sign_in):
    user = add_person(home, "admin")
    browser, client = sign_in(home, user), program(home, user)
    member = membership(home, user)

    assert send(program(home), "DELETE", f"/members/{member.id}").status_code == 204

    assert send(client, "GET", "/users/me").status_code == 401
    assert browser.get("/").status_code == 302
    assert send(browser, "GET", "/users/me").status_code == 401
    assert send(program(home), "GET", f"/members/{member.id}").status_code == 404
    with control("look"):
        assert not TokenFamily.objects.filter(user=user, revoked_at=None).exists()


def test_member__removed__cannot_refresh_or_sign_in(home):
    user = add_person(home)
    pair = tokens.issue(membership(home, user))
    members.remove_member(actor=home.subject, member_id=membership(home, user).id)
    anonymous = Client(HTTP_HOST=home.host)

    refreshed = send(anonymous, "POST", "/auth/refresh", {"refresh": pair.refresh})
    signed_in = send(anonymous, "POST", "/auth/login", {"email": user.email, "password": PASSWORD})

    assert (refreshed.status_code, signed_in.status_code) == (401, 401)


def test_member__removed_and_back__starts_without_the_relations_of_before(home):
    user = add_person(home)
    subject = subject_of(home, user)
    with home.inside():
        project = projects.create_project(actor=home.subject, name="Private", is_private=True)
        sharing.share(actor=home.subject, resource=project, user_id=user.id, relation="editor")
    members.remove_member(actor=home.subject, member_id=membership(home, user).id)
    ended = outbox_payload(home, members.ENDED)

    with home.inside():
        withdraw_shares(event_id=str(UUID(int=0)), **ended)
    with control("back again"), atomic():
        members.add_member(tenant_id=home.tenant.id, user=user)

    with home.inside():
        assert not authorize(subject, "projects:read", project)
        assert sharing.share(actor=home.subject, resource=project, user_id=user.id, relation="viewer")
        withdraw_shares(event_id=str(UUID(int=0)), **ended)
        assert authorize(subject, "projects:read", project)


def outbox_payload(organization: Organization, topic: str) -> dict[str, Any]:
    with servers.as_operator() as connection:
        query = "SELECT payload FROM platform.outbox WHERE topic = %s AND tenant_id = %s"
        (row,) = connection.execute(query, [topic, organization.tenant.id]).fetchall()
    return dict(row[0])


def test_member__who_leaves__is_out(home):
    user = add_person(home)
    client = program(home, user)

    assert send(client, "POST", "/members/leave").status_code == 204
    assert send(client, "GET", "/users/me").status_code == 401


@pytest.mark.parametrize("role", ["nobody", "", "custom", "00000000-0000-4000-8000-000000000000", "owner\x00"])
def test_role__that_does_not_exist__names_the_field(acme, role):
    member = membership(acme, add_person(acme))

    response = send(program(acme), "PATCH", f"/members/{member.id}", {"role": role})

    assert (response.status_code, fields(response)) == (400, {"role"})


def test_role__of_another_organization__does_not_exist(home, foreign):
    theirs = roles.create_role(actor=foreign.subject, name="Theirs", permissions=[])
    member = membership(home, add_person(home))

    response = send(program(home), "PATCH", f"/members/{member.id}", {"role": str(theirs.id)})

    assert answer(response) == (400, "unknown_role")


def test_role__changed_with_a_stale_etag__is_refused(acme):
    client, member = program(acme), membership(acme, add_person(acme))
    seen = send(client, "GET", f"/members/{member.id}")["ETag"]

    first = send(client, "PATCH", f"/members/{member.id}", {"role": "viewer"}, If_Match=seen)
    second = send(client, "PATCH", f"/members/{member.id}", {"role": "admin"}, If_Match=seen)

    assert (first.status_code, second.status_code) == (200, 412)
    assert role_of(acme, member.user) == "viewer"


def test_role__changed_by_two_who_saw_the_same__is_changed_by_one(firm):
    clients, member = [program(firm), program(firm)], membership(firm, add_person(firm))
    path = f"/members/{member.id}"

    for roles_wanted in [("admin", "viewer"), ("member", "owner"), ("admin", "viewer")]:
        seen = send(clients[0], "GET", path)["ETag"]
        calls = [
            partial(send, c, "PATCH", path, {"role": r}, If_Match=seen)
            for c, r in zip(clients, roles_wanted, strict=True)
        ]
        statuses = sorted(response.status_code for response in at_once(*calls))
        assert statuses == [200, 412]


# -- owners ------------------------------------------------------------------------------------------------------


@pytest.fixture
def firm(platform, database) -> Iterator[Organization]:
    """An organization of which nothing needs to be left."""
    organization = found(placement="pool")
    yield organization
    with control("clean up"):
        Membership.objects.filter(tenant=organization.tenant).delete()


def test_last_owner__demoted_removed_or_leaving__stays(firm):
    client, own = program(firm), membership(firm, firm.owner)

    for method, path, content in [
        ("PATCH", f"/members/{own.id}", {"role": "admin"}),
        ("DELETE", f"/members/{own.id}", None),
        ("POST", "/members/leave", None),
    ]:
        assert answer(send(client, method, path, content)) == (409, "last_owner")
    assert role_of(firm, firm.owner) == "owner"


def test_owner__with_another_one__may_leave(firm):
    add_person(firm, "owner")

    assert send(program(firm), "POST", "/members/leave").status_code == 204


def test_ownership__transferred__makes_the_owner_an_admin(firm):
    heir, client = add_person(firm, "viewer"), program(firm)

    response = send(client, "POST", f"/members/{membership(firm, heir).id}/ownership")

    assert (response.status_code, response.json()["role"]) == (200, "owner")
    assert (role_of(firm, heir), role_of(firm, firm.owner)) == ("owner", "admin")
    assert send(client, "GET", "/users/me").status_code == 401, "the token speaks of an owner"


def test_ownership__transferred_to_a_custom_role_or_oneself__works_or_changes_nothing(firm):
    heir = person_with(firm, "projects:read")
    own = membership(firm, firm.owner)

    assert send(program(firm), "POST", f"/members/{own.id}/ownership").json()["role"] == "owner"
    assert send(program(firm), "POST", f"/members/{membership(firm, heir).id}/ownership").status_code == 200
    assert (role_of(firm, heir), role_of(firm, firm.owner)) == ("owner", "admin")


def test_ownership__transferred_by_anybody_else__is_refused(acme):
    target = membership(acme, add_person(acme))
    _, key = api_keys.create_api_key(actor=acme.subject, name="key", scopes=["users:manage"])
    admin = program(acme, add_person(acme, "admin"))

    for client in (admin, bearer(acme, key)):
        assert answer(send(client, "POST", f"/members/{target.id}/ownership")) == (403, "beyond_own_rights")
    assert role_of(acme, target.user) == "member"


def demote(actor: Any, target: Membership) -> None:
    members.change_role(actor=actor, member_id=target.id, role=Assigned("admin"))


def remove(actor: Any, target: Membership) -> None:
    members.remove_member(actor=actor, member_id=target.id)


def leave(actor: Any, target: Membership) -> None:
    members.leave(actor=actor)


def transfer(actor: Any, target: Membership) -> None:
    members.transfer_ownership(actor=actor, member_id=target.id)


DUELS = [(demote, demote), (remove, remove), (remove, demote), (leave, leave), (leave, demote), (transfer, remove)]


@pytest.mark.parametrize("duel", DUELS, ids=lambda duel: " ".join(f.__name__ for f in duel))
def test_two_owners__against_each_other_at_once__leave_an_owner(firm, duel):
    for _ in range(8):
        with control("start again"):
            Membership.objects.filter(tenant=firm.tenant).delete()
        pair = [membership(firm, add_person(firm, "owner")) for _ in range(2)]
        acts = [
            (lambda act=act, own=own, other=other: act(subjects.of_membership(own), other))
            for act, own, other in zip(duel, pair, reversed(pair), strict=True)
        ]

        outcomes = at_once(*acts)

        assert all(o is None or isinstance(o, (LastOwner, MemberNotFound, BeyondOwnRights)) for o in outcomes)
        with control("look"):
            assert Membership.objects.filter(tenant=firm.tenant, role="owner").count() >= 1, outcomes


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned or raised, all begun together."""
    barrier, outcomes = Barrier(len(acts)), [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            outcomes[number] = act()
        except Exception as error:
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# -- nobody gives or takes what they do not have -----------------------------------------------------------------


@pytest.mark.parametrize("who", ["admin", "users:manage"])
def test_owner__touched_by_anybody_else__stays(acme, who):
    actor = program(acme, add_person(acme, who) if who == "admin" else person_with(acme, who))
    owner = membership(acme, add_person(acme, "owner"))

    demoted = send(actor, "PATCH", f"/members/{owner.id}", {"role": "viewer"})
    removed = send(actor, "DELETE", f"/members/{owner.id}")

    assert (answer(demoted), answer(removed)) == ((403, "beyond_own_rights"),) * 2
    assert role_of(acme, owner.user) == "owner"


def reach(acme: Organization) -> dict[str, str]:
    """Roles, by what they can do."""
    made = {
        "wide": roles.create_role(actor=acme.subject, name="Wide", permissions=["billing:manage"]),
        "narrow": roles.create_role(actor=acme.subject, name="Narrow", permissions=["projects:read"]),
    }
    return {"owner": "owner", "admin": "admin", **{name: str(role.id) for name, role in made.items()}}


@pytest.mark.parametrize(("role", "allowed"), [("owner", False), ("admin", True), ("wide", False), ("narrow", True)])
def test_admin__giving_a_role__gives_no_more_than_they_have(acme, role, allowed):
    admin, wanted = program(acme, add_person(acme, "admin")), reach(acme)[role]
    target = membership(acme, add_person(acme))

    changed = send(admin, "PATCH", f"/members/{target.id}", {"role": wanted})
    invited = send(admin, "POST", "/invitations", {"email": "guest@example.com", "role": wanted})

    assert (changed.status_code, invited.status_code) == ((200, 201) if allowed else (403, 403))


def test_admin__promoting_themselves__is_refused(acme):
    user = add_person(acme, "admin")

    response = send(program(acme, user), "PATCH", f"/members/{membership(acme, user).id}", {"role": "owner"})

    assert answer(response) == (403, "beyond_own_rights")


def test_manager_of_users__touching_somebody_with_more_rights__is_refused(acme):
    actor = program(acme, person_with(acme, "users:manage"))
    viewer = membership(acme, add_person(acme, "viewer"))

    assert send(actor, "DELETE", f"/members/{viewer.id}").status_code == 403
    assert send(actor, "PATCH", f"/members/{viewer.id}", {"role": "viewer"}).status_code == 403


@pytest.mark.parametrize("permissions", [["billing:manage"], ["projects:read", "integrations:manage"]])
def test_custom_role__beyond_the_rights_of_its_maker__is_refused(acme, permissions):
    admin = program(acme, add_person(acme, "admin"))
    wide = roles.create_role(actor=acme.subject, name="Wide", permissions=permissions)

    made = send(admin, "POST", "/roles", {"name": "More", "permissions": permissions})
    changed = send(admin, "PATCH", f"/roles/{wide.id}", {"permissions": []})
    renamed = send(admin, "PATCH", f"/roles/{wide.id}", {"name": "Other"})
    deleted = send(admin, "DELETE", f"/roles/{wide.id}")

    assert [answer(r) for r in (made, changed, renamed, deleted)] == [(403, "beyond_own_rights")] * 4


def test_api_key__beyond_the_rights_of_its_maker__is_refused(acme):
    admin = program(acme, add_person(acme, "admin"))

    response = send(admin, "POST", "/api-keys", {"name": "key", "scopes": ["billing:manage"]})

    assert answer(response) == (403, "beyond_own_rights")


# -- custom roles ------------------------------------------------------------------------------------------------


def test_custom_role__made_changed_and_deleted__by_the_api(home):
    client = program(home)

    made = send(client, "POST", "/roles", {"name": "Editor", "permissions": ["projects:write", "projects:read"]})
    path = f"/roles/{made.json()['id']}"
    read = send(client, "GET", path)
    changed = send(client, "PATCH", path, {"name": "Author"}, If_Match=read["ETag"])
    stale = send(client, "PATCH", path, {"name": "Writer"}, If_Match=read["ETag"])
    listed = send(client, "GET", "/roles").json()["results"]

    assert (made.status_code, made["ETag"], changed.status_code) == (201, read["ETag"], 200)
    assert changed.json()["permissions"] == ["projects:read", "projects:write"]
    assert answer(stale) == (412, "precondition_failed")
    assert [role["name"] for role in listed] == ["Author"]
    assert send(client, "DELETE", path).status_code == 204
    assert send(client, "GET", path).status_code == 404


BAD_ROLES = [
    ({"name": "", "permissions": []}, 400, "name"),
    ({"name": "x" * 61, "permissions": []}, 400, "name"),
    ({"name": "a\x00b", "permissions": []}, 400, "name"),
    ({"permissions": []}, 400, "name"),
    ({"name": "Role"}, 400, "permissions"),
    ({"name": "Role", "permissions": "projects:read"}, 400, "permissions"),
    ({"name": "Role", "permissions": ["projects:everything"]}, 400, "permissions"),
    ({"name": "Role", "permissions": ["member"]}, 400, "permissions"),
    ({"name": "TAKEN", "permissions": []}, 409, "name"),
    ({"name": "Owner", "permissions": []}, 409, "name"),
    ({"name": "member", "permissions": []}, 409, "name"),
]


@pytest.mark.parametrize(("content", "status", "field"), BAD_ROLES)
def test_custom_role__that_is_wrong__names_the_field(acme, content, status, field):
    roles.create_role(actor=acme.subject, name="Taken", permissions=[])
    other = roles.create_role(actor=acme.subject, name="Other", permissions=[])

    made = send(program(acme), "POST", "/roles", content)
    assert (made.status_code, {f.split(".")[0] for f in fields(made)}) == (status, {field})
    if field in content:
        changed = send(program(acme), "PATCH", f"/roles/{other.id}", content)
        assert changed.status_code == status


def test_custom_role__in_use__is_not_deleted(acme):
    user = person_with(acme, "projects:read")
    role = membership(acme, user).custom_role
    client = program(acme)
    assert answer(send(client, "DELETE", f"/roles/{role.id}")) == (409, "role_in_use")

    send(client, "PATCH", f"/members/{membership(acme, user).id}", {"role": "viewer"})
    invited = send(client, "POST", "/invitations", {"email": "guest@example.com", "role": str(role.id)})
    assert answer(send(client, "DELETE", f"/roles/{role.id}")) == (409, "role_in_use")

    send(client, "DELETE", f"/invitations/{invited.json()['id']}")
    assert send(client, "DELETE", f"/roles/{role.id}").status_code == 204


def test_custom_role__changed__acts_on_the_next_request_of_its_holders(home, sign_in):
    user = person_with(home, "projects:read", "projects:write")
    browser, client = sign_in(home, user), program(home, user)
    role = membership(home, user).custom_role

    send(program(home), "PATCH", f"/roles/{role.id}", {"permissions": ["projects:read"]})

    assert send(client, "GET", "/projects").status_code == 401
    assert send(browser, "POST", "/projects", {"name": "New"}).status_code == 403
    assert send(browser, "GET", "/projects").status_code == 200


# -- profile, password -------------------------------------------------------------------------------------------


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


# -- sessions ----------------------------------------------------------------------------------------------------


def listed(client: Client) -> list[dict[str, Any]]:
    return send(client, "GET", "/sessions").json()["results"]


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
