"""The organization's own roles, by API."""

from __future__ import annotations

import pytest

from apps.access.permissions import GRANTS, Role
from apps.accounts.services import roles
from tests.support.factories import add_person

from .changes import answer, fields, membership, person_with, program, send


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


@pytest.mark.parametrize("through", ["members", "invitations"])
def test_role__with_all_that_admins_may__gives_nobody_the_sight_of_private_things(acme, through):
    person = person_with(acme, *GRANTS[Role.ADMIN])
    other = membership(acme, add_person(acme, "viewer"))

    if through == "members":
        answers = [
            send(program(acme, person), "PATCH", f"/members/{each.id}", {"role": "admin"})
            for each in (membership(acme, person), other)
        ]
    else:
        answers = [send(program(acme, person), "POST", "/invitations", {"email": "new@example.com", "role": "admin"})]

    assert {answer.status_code for answer in answers} == {403}
