"""Roles of members, and that nobody gives or takes what they do not have."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.access.decisions import authorize
from apps.accounts.models import TokenFamily
from apps.accounts.services import members, roles, sharing, tokens
from apps.accounts.tasks import withdraw_shares
from apps.projects.services import projects
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests.support import servers
from tests.support.factories import PASSWORD, Organization, add_person, subject_of

from .changes import answer, at_once, fields, membership, person_with, program, role_of, send

# -- roles of members -------------------------------------------------------------------------------------------------


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
    ended = outbox_payload(home, members.MEMBERSHIP_ENDED)

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


# -- nobody gives or takes what they do not have ----------------------------------------------------------------------


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
