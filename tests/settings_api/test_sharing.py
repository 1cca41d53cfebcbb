"""The API of sharing."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from apps.accounts.models import Membership
from apps.accounts.roles import Assigned
from apps.accounts.services import members, roles
from apps.projects.models import Document, Project
from apps.tenancy.context import control
from tests.support.factories import add_document, add_person, add_project

from .callers import fields, listed, program, send


def share(client: Client, path: str, user_id: UUID, relation: str) -> Any:
    return send(client, "PUT", f"{path}/shares/{user_id}", {"relation": relation})


@pytest.fixture
def secret(acme) -> Document:
    """A document in a private project."""
    project = add_project(acme)
    document = add_document(acme, project)
    with acme.inside():
        Project.objects.filter(id=project.id).update(is_private=True)
    return document


@pytest.mark.parametrize("thing", ["project", "document"])
def test_share__granted_changed_and_withdrawn__acts_at_once(acme, client, secret, thing):
    user = add_person(acme, "viewer")
    theirs, project = program(acme, user), f"/projects/{secret.project_id}"
    path = project if thing == "project" else f"{project}/documents/{secret.id}"
    assert send(theirs, "GET", path).status_code == 404

    for relation in ("viewer", "editor"):
        given = share(client, path, user.id, relation)
        assert (given.status_code, given.json()["relation"]) == (200, relation)
        assert send(theirs, "GET", path).status_code == 200
    shares = send(client, "GET", f"{path}/shares").json()["results"]
    assert {(s["user_id"], s["relation"]) for s in shares} == {(str(acme.owner.id), "owner"), (str(user.id), "editor")}
    assert send(theirs, "DELETE", f"{project}/documents/{secret.id}/shares/{user.id}").status_code in (403, 404)

    assert send(client, "DELETE", f"{path}/shares/{user.id}").status_code == 204
    assert send(client, "DELETE", f"{path}/shares/{user.id}").status_code == 404
    assert send(theirs, "GET", path).status_code == 404


def test_share__of_a_document__does_not_open_its_project(acme, client, secret):
    user = add_person(acme, "viewer")
    theirs, project = program(acme, user), f"/projects/{secret.project_id}"
    share(client, f"{project}/documents/{secret.id}", user.id, "owner")

    assert send(theirs, "GET", f"{project}/documents/{secret.id}").status_code == 200
    assert [send(theirs, "GET", p).status_code for p in (project, f"{project}/documents")] == [404, 404]
    assert listed(theirs, "") == []


def test_share__with_strangers_or_in_other_words__is_refused(home, foreign):
    client, path = program(home), f"/projects/{add_project(home).id}"

    for user_id in (foreign.owner.id, uuid4()):
        response = share(client, path, user_id, "viewer")
        assert (response.status_code, response.json()["code"]) == (404, "member_not_found")
    assert fields(share(client, path, home.owner.id, "king")) == {"relation"}


def test_share__beyond_ones_own_rights__is_refused(acme):
    role = roles.create_role(actor=acme.subject, name="Sharer", permissions=["projects:read", "projects:share"])
    user, other, project = add_person(acme), add_person(acme, "viewer"), add_project(acme)
    with control("look"):
        member_id = Membership.objects.get(user=user).id
    members.change_role(actor=acme.subject, member_id=member_id, role=Assigned("custom", role))
    client, path = program(acme, user), f"/projects/{project.id}"

    assert [share(client, path, user.id, r).status_code for r in ("owner", "editor")] == [403, 403]
    assert share(client, path, acme.owner.id, "viewer").json()["code"] == "beyond_own_rights"
    assert send(client, "DELETE", f"{path}/shares/{acme.owner.id}").status_code == 403
    assert share(client, path, other.id, "viewer").status_code == 200
    assert send(client, "DELETE", f"{path}/shares/{other.id}").status_code == 204
