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

NAMING = ["projects:read", "projects:write"]
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
@pytest.mark.parametrize(("scopes", "status"), [([], 403), (["projects:share"], 201)])
def test_visibility__of_what_a_key_creates__takes_the_right_to_share(acme, path, scopes, status):
    robot = Program(acme.host, api_keys.create_api_key(actor=acme.subject, name="robot", scopes=[*NAMING, *scopes])[1])

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


# -- names that are taken -------------------------------------------------------------------------------------------


def role_that_only_writes(organization: Organization, taken: Project, own: Project) -> Program:
    return program_of(organization, person_with(organization, "projects:write"))


def key_that_only_writes(organization: Organization, taken: Project, own: Project) -> Program:
    secret = api_keys.create_api_key(actor=organization.subject, name="robot", scopes=["projects:write"])[1]
    return Program(organization.host, secret)


def shared_with(relation: str) -> Any:
    def program(organization: Organization, taken: Project, own: Project) -> Program:
        person = person_with(organization)
        share(organization, own, person, relation)
        return program_of(organization, person)

    return program


BLIND = {
    "role": role_that_only_writes,
    "key": key_that_only_writes,
    "editor": shared_with("editor"),
    "owner": shared_with("owner"),
}
TRIES: dict[str, Any] = {
    "create": lambda program, own, name: program.post("projects", {"name": name}),
    "bulk": lambda program, own, name: program.post("projects/bulk", {"items": [{"name": name}]}),
    "create hidden": lambda program, own, name: program.post("projects", {"name": name, "is_private": True}),
    "rename": lambda program, own, name: program.call("patch", f"projects/{own.id}", {"name": name}),
    "rename and publish": lambda program, own, name: program.call(
        "patch", f"projects/{own.id}", {"name": name, "is_private": False}
    ),
}


@pytest.mark.parametrize("private", [True, False], ids=["private", "public"])
@pytest.mark.parametrize("attempt", TRIES)
@pytest.mark.parametrize("blind", BLIND)
def test_name__that_is_taken__is_told_to_nobody_who_does_not_see_all_names(acme, blind, attempt, private):
    """Taken or free, they are answered the same."""
    taken, own = make(acme, is_private=False), make(acme, is_private=private)
    program = BLIND[blind](acme, taken, own)

    answers = [TRIES[attempt](program, own, name) for name in (taken.name, "A name that is free")]

    statuses = {answer.status_code for answer in answers}
    assert len(statuses) == 1
    assert statuses <= {200, 201, 403, 404}


@pytest.mark.parametrize("relation", ["editor", "owner"])
def test_project__shared_with_somebody_who_sees_no_others__is_theirs_to_change_but_for_its_public_name(acme, relation):
    project, person = make(acme, is_private=False), person_with(acme)
    share(acme, project, person, relation)
    program = program_of(acme, person)

    described = program.call("patch", f"projects/{project.id}", {"name": project.name, "description": "New"})
    renamed = program.call("patch", f"projects/{project.id}", {"name": "New"})

    assert (described.status_code, renamed.status_code) == (200, 403)
    hide(acme, person, project)
    assert program.call("patch", f"projects/{project.id}", {"name": "New"}).status_code == 200


def test_page__of_a_project_shared_with_somebody_who_sees_no_others__keeps_its_public_name(acme, sign_in):
    project, person = make(acme, is_private=False), person_with(acme)
    share(acme, project, person, "editor")
    browser, address = sign_in(acme, person), f"/projects/{project.id}/edit/"

    saved = browser.post(address, {"name": "New", "description": "Changed"})

    assert saved.status_code == 302
    with acme.inside():
        changed = Project.objects.get(id=project.id)
    assert (changed.name, changed.description) == (project.name, "Changed")
    assert "disabled" in browser.get(address).content.decode()


@pytest.mark.parametrize(("permissions", "status"), [(["projects:read"], 409), ([], 403)])
def test_page__for_a_name_that_is_taken__says_so_to_those_who_see_it(acme, sign_in, permissions, status):
    taken = make(acme, is_private=False)
    person = person_with(acme, "projects:write", *permissions)

    page = sign_in(acme, person).post("/projects/new/", {"name": taken.name})

    assert page.status_code == {409: 422}.get(status, status)


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


@pytest.mark.parametrize("given", [False, True], ids=["made", "given by somebody else"])
@pytest.mark.parametrize(("is_private", "relation"), [(True, "editor"), (True, "owner"), (False, "editor")])
def test_document__in_a_private_project__is_handed_on_by_its_maker_only_with_the_right_to_share_the_project(
    acme, given, is_private, relation
):
    project, person, friend = make(acme, is_private=is_private), add_person(acme), add_person(acme)
    share(acme, project, person, relation)
    with acme.inside():
        upload = SimpleUploadedFile("plan.txt", b"content")
        maker = acme.subject if given else subject_of(acme, person)
        document = documents.add_document(actor=maker, project=project, upload=upload)
        if given:
            sharing.share(actor=acme.subject, resource=document, user_id=person.id, relation="owner")
    shares = f"projects/{project.id}/documents/{document.id}/shares"

    answers = {
        wanted: program_of(acme, person).call("put", f"{shares}/{friend.id}", {"relation": wanted}).status_code
        for wanted in ("viewer", "editor", "owner")
    }

    may = given or not is_private or relation == "owner"
    assert set(answers.values()) == {200 if may else 403}
    seen = program_of(acme, friend).get(f"projects/{project.id}/documents/{document.id}").status_code
    assert (seen == 200) == (may or not is_private)
