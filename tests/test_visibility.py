"""Who sees a thing is decided by those who may share it, whichever way it is asked, and its name tells nobody of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models

from apps.access.models import Share
from apps.access.permissions import Role
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, roles, sharing
from apps.projects.models import Project
from apps.projects.services import documents, projects
from tests.support.clients import Program, membership_of, program_of
from tests.support.factories import Organization, add_person, add_project, subject_of

PRIVATE_MODELS = [model for model in apps.get_models() if hasattr(model, "share_keys")]


def make(organization: Organization, *, is_private: bool) -> Project:
    project = add_project(organization)
    if is_private:
        with organization.inside():
            project = projects.update_project(actor=organization.subject, project=project, is_private=True)
    return project


def is_private(organization: Organization, project: Project) -> bool:
    with organization.inside():
        return bool(Project.objects.get(id=project.id).is_private)


def share(organization: Organization, project: Project, person: Any, relation: str) -> None:
    with organization.inside():
        sharing.share(actor=organization.subject, resource=project, user_id=person.id, relation=relation)


def person_with(organization: Organization, *permissions: str) -> Any:
    role = roles.create_role(actor=organization.subject, name="Sharers", permissions=list(permissions))
    person = add_person(organization)
    member_id = membership_of(organization, person).id
    members.change_role(actor=organization.subject, member_id=member_id, role=Assigned(Role.CUSTOM, role))
    return person


def ask(way: str, organization: Organization, person: Any, project: Project, *, private: bool, sign_in: Any) -> int:
    """Change who sees it, through the API or the page, and in the page as a browser sends it that was shown no box."""
    if way == "API":
        return int(
            program_of(organization, person)
            .call("patch", f"projects/{project.id}", {"is_private": private})
            .status_code
        )
    content = {"name": project.name, **({"is_private": "on"} if private else {})}
    return int(sign_in(organization, person).post(f"/projects/{project.id}/edit/", content).status_code)


@pytest.mark.parametrize("way", ["API", "page"])
@pytest.mark.parametrize("private", [True, False], ids=["hide", "publish"])
@pytest.mark.parametrize(
    ("relation", "role", "may"),
    [
        (None, Role.OWNER, True),
        (None, Role.ADMIN, True),
        ("owner", Role.MEMBER, True),
        ("owner", Role.VIEWER, True),
        ("editor", Role.MEMBER, False),
        ("editor", Role.VIEWER, False),
        ("viewer", Role.MEMBER, False),
    ],
)
def test_visibility__changed_by_whoever__takes_the_right_to_share(acme, sign_in, way, private, relation, role, may):
    project, person = make(acme, is_private=not private), add_person(acme, role)
    if relation:
        share(acme, project, person, relation)

    status = ask(way, acme, person, project, private=private, sign_in=sign_in)

    assert (is_private(acme, project) == private) == may
    if way == "API":
        assert status == (200 if may else 403)


def test_visibility__sent_as_it_is__takes_no_right_to_share(acme):
    project, person = make(acme, is_private=False), add_person(acme)

    answer = program_of(acme, person).call("patch", f"projects/{project.id}", {"is_private": False, "name": "New"})

    assert (answer.status_code, answer.json()["name"]) == (200, "New")


def test_visibility__of_whoever_would_hide_it_from_themselves__stays(acme):
    project = make(acme, is_private=False)
    person = person_with(acme, "projects:read", "projects:write", "projects:share")

    hidden = program_of(acme, person).call("patch", f"projects/{project.id}", {"is_private": True})

    assert (hidden.status_code, is_private(acme, project)) == (403, False)


@pytest.mark.parametrize("path", ["projects", "projects/bulk"])
@pytest.mark.parametrize(("scopes", "status"), [(["projects:write"], 403), (["projects:write", "projects:share"], 201)])
def test_visibility__of_what_a_key_creates__takes_the_right_to_share(acme, path, scopes, status):
    robot = Program(acme.host, api_keys.create_api_key(actor=acme.subject, name="robot", scopes=scopes)[1])

    for item, expected in (({"name": "Secret", "is_private": True}, status), ({"name": "Open"}, 201)):
        assert robot.post(path, {"items": [item]} if "bulk" in path else item).status_code == expected


def test_visibility__hidden_by_page__names_whom_that_locks_out(acme, sign_in):
    project, shut_out, kept = make(acme, is_private=False), add_person(acme), add_person(acme)
    share(acme, project, kept, "viewer")
    browser = sign_in(acme)

    page = browser.get(f"/projects/{project.id}/edit/").content.decode()

    assert (shut_out.email in page, kept.email in page) == (True, False)
    editor = sign_in(acme, shut_out).get(f"/projects/{project.id}/edit/").content.decode()
    assert ("is_private" in editor, "is_private" in page) == (False, True)


@pytest.mark.parametrize("model", PRIVATE_MODELS, ids=lambda model: model._meta.label)
def test_unique_constraint__of_what_can_be_private__tells_nobody_of_it(model):
    """Whatever must differ among all rows would say that a hidden one has it."""
    own_key = {"tenant_id", "id"}
    telling = [
        constraint.name
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint)
        and set(constraint.fields) != own_key
        and ("is_private", False) not in (constraint.condition.children if constraint.condition else [])
    ]
    assert telling == []


def test_name__of_a_private_project__is_free_for_others_until_it_is_published(acme):
    secret, person = make(acme, is_private=True), add_person(acme)
    client = program_of(acme, person)

    answer = client.post("projects", {"name": secret.name})
    hidden = client.post("projects", {"name": secret.name, "is_private": True})
    published = program_of(acme).call("patch", f"projects/{secret.id}", {"is_private": False})

    assert (answer.status_code, hidden.status_code) == (201, 201)
    assert (published.status_code, published.json()["code"]) == (409, "project_name_taken")
    assert client.post("projects", {"name": secret.name}).status_code == 409


# -- what was made in it -------------------------------------------------------------------------------------------


def withdraw(organization: Organization, person: Any, project: Project) -> None:
    with organization.inside():
        sharing.unshare(actor=organization.subject, resource=project, user_id=person.id)


def hide(organization: Organization, person: Any, project: Project) -> None:
    with organization.inside():
        projects.update_project(actor=organization.subject, project=project, is_private=True)


@pytest.mark.parametrize(("end", "relation"), [(withdraw, "editor"), (withdraw, "owner"), (hide, None)])
@pytest.mark.parametrize(("given", "status"), [(False, 404), (True, 200)], ids=["made", "given by somebody else"])
def test_document__of_somebody_who_does_not_see_its_project_any_more__is_theirs_if_it_was_given(
    home, end, relation, given, status
):
    project, person = make(home, is_private=relation is not None), add_person(home)
    if relation:
        share(home, project, person, relation)
    with home.inside():
        upload = SimpleUploadedFile("plan.txt", b"content")
        maker = home.subject if given else subject_of(home, person)
        document = documents.add_document(actor=maker, project=project, upload=upload)
        if given:
            sharing.share(actor=home.subject, resource=document, user_id=person.id, relation="owner")
    program = program_of(home, person)
    address = f"projects/{project.id}/documents/{document.id}"
    assert program.get(address).status_code == 200

    end(home, person, project)

    assert program.get(address).status_code == status
    assert program_of(home).get(address).status_code == 200
    with home.inside():
        mine = Share.objects.filter(object_id=document.id, user_id=person.id)
        assert mine.exists() == given
