"""Keeping projects and documents, by page and API."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access.permissions import ALL, GRANTS, Role
from apps.accounts.roles import BUILT_IN
from apps.accounts.services import sharing
from apps.projects.models import Document, Project
from apps.projects.services import custom_fields, projects
from tests.support.factories import add_document, add_person, add_project

API = "/api/v1/projects"


@pytest.fixture
def browser(home, sign_in) -> Client:
    return sign_in(home)


def names(organization) -> list[str]:
    with organization.inside():
        return sorted(Project.objects.values_list("name", flat=True))


def test_project__created_edited_and_deleted__by_pages(home, browser):
    created = browser.post("/projects/new/", {"name": "Plan", "description": "First"}, follow=True)
    assert (created.status_code, names(home)) == (200, ["Plan"])
    address = created.redirect_chain[-1][0]

    browser.post(f"{address}edit/", {"name": "Better plan", "description": ""})
    assert names(home) == ["Better plan"]

    browser.post(f"{address}delete/")
    assert names(home) == []


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "a\x00b", "a\x1bb"])
def test_project__with_a_bad_name__names_the_field(home, browser, name):
    page = browser.post("/projects/new/", {"name": name})
    api = browser.post(API, {"name": name}, content_type="application/json")

    assert (page.status_code, b'id="id_name_error"' in page.content) == (422, True)
    assert api.status_code == 400
    assert {e["field"] for e in api.json()["errors"]} == {"name"}
    assert names(home) == []


def test_project__with_a_taken_name__is_a_conflict(home, browser):
    add_project(home, "Taken")
    other = add_project(home, "Other")

    page = browser.post("/projects/new/", {"name": "Taken"})
    edit = browser.post(f"/projects/{other.id}/edit/", {"name": "Taken"})
    api = browser.post(API, {"name": "Taken"}, content_type="application/json")

    assert (page.status_code, edit.status_code, api.status_code) == (422, 422, 409)
    assert b"Edit Other" in edit.content  # as it is called, not as it was to be
    assert api.json()["code"] == "project_name_taken"
    assert names(home) == ["Other", "Taken"]


def test_projects__listed_by_the_api__come_newest_first_in_pages(home, browser):
    for number in range(25):
        add_project(home, f"P{number:02}")

    first = browser.get(API).json()
    second = browser.get(first["next"]).json()

    assert [p["name"] for p in first["results"]] == [f"P{n:02}" for n in range(24, 4, -1)]
    assert [p["name"] for p in second["results"]] == [f"P{n:02}" for n in range(4, -1, -1)]
    assert second["next"] is None


def test_projects__listed_by_the_page__come_in_pages(home, browser):
    for number in range(26):
        add_project(home, f"P{number:02}")

    assert b"P25" in browser.get("/projects/").content
    assert b"P00" in browser.get("/projects/?page=2").content
    assert browser.get("/projects/?page=nonsense").status_code == 200


# -- documents ---------------------------------------------------------------------------------------------------


def test_document__uploaded__can_be_downloaded_by_its_signed_link(home, browser):
    project = add_project(home)

    browser.post(f"/projects/{project.id}/documents/", {"file": SimpleUploadedFile("a ö.txt", b"content")})
    with home.inside():
        document = Document.objects.get()
    downloaded = browser.get(f"/projects/{project.id}/documents/{document.id}/", follow=True)

    assert b"".join(downloaded.streaming_content) == b"content"
    assert downloaded["Content-Disposition"].startswith("attachment")
    assert "signature=" in downloaded.redirect_chain[-1][0]


def test_document__without_or_with_another_signature__is_refused(home, browser, sign_in):
    project = add_project(home)
    documents = [add_document(home, project), add_document(home, project)]
    links = [browser.get(f"/projects/{project.id}/documents/{d.id}/")["Location"] for d in documents]
    colleague = sign_in(home, add_person(home))
    signature = links[1].split("?")[1]

    for client, address in [
        (browser, links[0].split("?")[0]),
        (browser, f"{links[0].split('?')[0]}?{signature}"),
        (browser, links[0] + "x"),
        (colleague, links[0]),
    ]:
        assert client.get(address).status_code == 403
    assert Client(HTTP_HOST=home.host).get(links[0]).status_code == 302


def test_document__link_older_than_its_time__is_refused(home, browser, settings):
    project = add_project(home)
    document = add_document(home, project)
    settings.DOCUMENT_LINK_SECONDS = -settings.CLOCK_LEEWAY_SECONDS - 1

    response = browser.get(f"/projects/{project.id}/documents/{document.id}/", follow=True)

    assert response.status_code == 403


def test_document__too_large_or_missing__names_the_field(home, browser, settings):
    project = add_project(home)
    settings.DOCUMENT_MAX_BYTES = 3

    large = browser.post(f"/projects/{project.id}/documents/", {"file": SimpleUploadedFile("x", b"1234")})
    missing = browser.post(f"/projects/{project.id}/documents/")
    empty = browser.post(f"/projects/{project.id}/documents/", {"file": SimpleUploadedFile("x", b"")})

    for response in (large, missing, empty):
        assert (response.status_code, b'id="id_file_error"' in response.content) == (422, True)
    assert not [f for f in home.folder.rglob("*") if f.is_file()]


def test_document__deleted__with_its_project__takes_its_file_along(home, browser):
    project = add_project(home)
    add_document(home, project)
    single = add_document(home, project)

    browser.post(f"/projects/{project.id}/documents/{single.id}/delete/")
    assert len([f for f in home.folder.rglob("*") if f.is_file()]) == 1
    browser.post(f"/projects/{project.id}/delete/")
    assert [f for f in home.folder.rglob("*") if f.is_file()] == []


def test_document__whose_file_is_gone__is_not_found(home, browser):
    project = add_project(home)
    document = add_document(home, project)
    next(f for f in home.folder.rglob("*") if f.is_file()).unlink()

    assert browser.get(f"/projects/{project.id}/documents/{document.id}/", follow=True).status_code == 404


# -- who may -----------------------------------------------------------------------------------------------------

NEEDS = {
    ("get", "/"): "projects:read",
    ("get", "/projects/{p}/"): "projects:read",
    ("get", "/projects/new/"): "projects:write",
    ("get", "/projects/{p}/edit/"): "projects:write",
    ("post", "/projects/{p}/documents/"): "projects:write",
    ("get", "/projects/{p}/delete/"): "projects:delete",
    ("get", API): "projects:read",
    ("post", API): "projects:write",
}


@pytest.mark.parametrize("role", BUILT_IN)
@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_route__of_projects__follows_the_role(acme, sign_in, role, method, path):
    project = add_project(acme)
    client = sign_in(acme, add_person(acme, role))

    response = getattr(client, method)(path.format(p=project.id), {"name": "New"}, **as_json(path, method))

    assert (response.status_code != 403) == (NEEDS[method, path] in GRANTS[role])


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_route__of_projects__asks_the_anonymous_to_sign_in(acme, method, path):
    client = Client(HTTP_HOST=acme.host)

    response = getattr(client, method)(path.format(p=uuid4()), **as_json(path, method))

    assert response.status_code == (401 if path.startswith("/api") else 302)


def test_grants__of_the_roles__are_those_of_the_product():
    assert GRANTS[Role.OWNER] == ALL
    assert ALL - GRANTS[Role.ADMIN] == {"billing:manage", "integrations:manage"}
    assert GRANTS[Role.MEMBER] == {"projects:read", "projects:write", "analytics:view"}
    assert GRANTS[Role.VIEWER] == {"projects:read"}


# -- bad requests ------------------------------------------------------------------------------------------------

BAD_REQUESTS = [
    ("post", API, b"{", "application/json", 400),
    ("post", API, b"[" * 40_000, "application/json", 400),
    ("post", API, b'{"a":' * 3000, "application/json", 400),
    ("post", API, b"\xff\xfe", "application/json", 400),
    ("post", API, b"[]", "application/json", 400),
    ("post", API, b"name=x", "application/x-www-form-urlencoded", 415),
    ("post", API, json.dumps({"name": {"a": 1}}).encode(), "application/json", 400),
    ("put", API, b"{}", "application/json", 405),
    ("get", f"{API}?cursor=nonsense", b"", "", 404),
    ("get", f"{API}?cursor=cD0=", b"", "", 404),
    ("get", f"{API}?cursor=cD1ub3RhZGF0ZQ==", b"", "", 404),
    ("get", f"{API}?cursor=cD05OTk5LTk5LTk5VA==", b"", "", 404),
    ("get", f"{API}?cursor=cj0xJnA9JTAw", b"", "", 404),
    ("get", f"{API}?page_size=nonsense", b"", "", 400),
    ("get", "/projects/not-a-uuid/", b"", "", 404),
    ("get", "/projects/00000000-0000-4000-8000-000000000000/", b"", "", 404),
    ("get", "/api/v1/nothing", b"", "", 404),
    ("post", "/", b"", "application/json", 405),
    ("get", "/sign-in/handoff/?code=%00", b"", "", 302),
    ("post", "/sign-in/", b"login=%00&password=%00", "application/x-www-form-urlencoded", 302),
]


@pytest.mark.parametrize(("method", "path", "body", "content_type", "status"), BAD_REQUESTS)
def test_request__that_is_wrong__is_told_so(acme, sign_in, method, path, body, content_type, status):
    client = sign_in(acme)
    arguments = {"data": body, "content_type": content_type} if method != "get" else {}

    response = getattr(client, method)(path, **arguments)

    assert response.status_code == status, response.content
    if path.startswith("/api/") and status >= 400:
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["status"] == status


def as_json(path: str, method: str) -> dict[str, str]:
    return {"content_type": "application/json"} if path.startswith("/api") and method == "post" else {}


# -- pages of sharing, private projects and custom fields ------------------------------------------------------------


def test_project__created_by_page_with_custom_fields__keeps_their_values(home, sign_in):
    with home.inside():
        for key, kind, choices in (("budget", "number", None), ("due", "date", None), ("size", "choice", ["S", "L"])):
            custom_fields.define_custom_field(
                actor=home.subject, key=key, label=key.title(), kind=kind, required=True, choices=choices
            )
    client = sign_in(home)
    values = {"custom_fields.budget": "12.5", "custom_fields.due": "2026-12-01", "custom_fields.size": "L"}

    missing = client.post("/projects/new/", {"name": "Fields"})
    wrong = client.post("/projects/new/", {"name": "Fields", **values, "custom_fields.size": "XL"})
    made = client.post("/projects/new/", {"name": "Fields", "is_private": "on", **values}, follow=True)

    assert (missing.status_code, wrong.status_code, made.status_code) == (422, 422, 200)
    with home.inside():
        project = Project.objects.get(name="Fields")
        assert project.custom_fields == {"budget": 12.5, "due": "2026-12-01", "size": "L"}
        assert project.is_private
    assert "12.5" in made.content.decode()


@pytest.mark.parametrize("value", ["not a day", 5])
def test_project__with_a_value_of_a_removed_field_of_another_kind__is_shown(home, browser, value):
    kinds = {str: "text", int: "number"}
    with home.inside():
        old = custom_fields.define_custom_field(actor=home.subject, key="x", label="X", kind=kinds[type(value)])
        project = projects.create_project(actor=home.subject, name="Plan", values={"x": value})
        custom_fields.delete_custom_field(actor=home.subject, field=old)
        custom_fields.define_custom_field(actor=home.subject, key="x", label="Day", kind="date")

    page = browser.get(f"/projects/{project.id}/")

    assert page.status_code == 200
    assert str(value) in page.content.decode()
    assert browser.get(f"/projects/{project.id}/edit/").status_code == 200


def test_project__shared_by_page__is_shown_with_the_reasons(home, sign_in):
    user = add_person(home, "viewer")
    with home.inside():
        project = projects.create_project(actor=home.subject, name="Secret", is_private=True)
    owner, viewer, path = sign_in(home), sign_in(home, user), f"/projects/{project.id}"

    before = viewer.get(f"{path}/")
    shared = owner.post(f"{path}/share/", {"person": str(user.id), "relation": "editor"}, follow=True)
    explained = owner.get(f"{path}/shares/", {"person": str(user.id)}).content.decode()
    during = viewer.post(f"{path}/edit/", {"name": "Changed by its editor", "is_private": "on"})
    refused = viewer.post(f"{path}/share/", {"person": str(home.owner.id), "relation": "viewer"})
    owner.post(f"{path}/unshare/", {"person": str(user.id)})

    assert (before.status_code, shared.status_code, during.status_code, refused.status_code) == (404, 200, 302, 403)
    assert user.email in shared.content.decode()
    assert "Being its editor allows projects:write." in explained
    assert viewer.get(f"{path}/").status_code == 404


def test_document__shared_by_page__is_had_without_its_project(home, sign_in):
    user = add_person(home, "viewer")
    with home.inside():
        project = projects.create_project(actor=home.subject, name="Secret plan", is_private=True)
    document = add_document(home, project)
    owner, viewer, path = sign_in(home), sign_in(home, user), f"/projects/{project.id}/documents/{document.id}"

    before = viewer.get(f"{path}/shares/")
    shared = owner.post(f"{path}/share/", {"person": str(user.id), "relation": "viewer"}, follow=True)
    explained = owner.get(f"{path}/shares/", {"person": str(user.id)}).content.decode()
    theirs = viewer.get(f"{path}/shares/")
    fetched = viewer.get(f"{path}/", follow=True)
    refused = viewer.post(f"{path}/share/", {"person": str(home.owner.id), "relation": "viewer"})
    withdrawn = owner.post(f"{path}/unshare/", {"person": str(user.id)}, follow=True)

    assert (before.status_code, theirs.status_code, fetched.status_code, refused.status_code) == (404, 200, 200, 403)
    assert "The document is shared." in shared.content.decode()
    assert user.email in shared.content.decode()
    assert "Being its viewer allows projects:read." in explained
    assert "Being its viewer does not allow projects:write." in explained
    assert "Secret plan" not in theirs.content.decode()
    assert "The document is no longer shared with them." in withdrawn.content.decode()
    assert viewer.get(f"{path}/shares/").status_code == 404


def test_document__removed_by_somebody_who_has_it_without_its_project__leads_to_what_they_see(acme, sign_in):
    user = add_person(acme, "viewer")
    with acme.inside():
        project = projects.create_project(actor=acme.subject, name="Secret plan", is_private=True)
    document = add_document(acme, project)
    with acme.inside():
        sharing.share(actor=acme.subject, resource=document, user_id=user.id, relation="editor")

    left = sign_in(acme, user).post(f"/projects/{project.id}/documents/{document.id}/delete/", follow=True)

    assert left.redirect_chain == [("/projects/", 302)]
    assert "is removed." in left.content.decode()


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("share/", {"person": "nobody", "relation": "viewer"}, 422),
        ("share/", {"relation": "viewer"}, 422),
        ("share/", {"person": "00000000-0000-4000-8000-000000000000", "relation": "king"}, 422),
        ("unshare/", {"person": "nobody"}, 404),
        ("unshare/", {"person": "00000000-0000-4000-8000-000000000000"}, 404),
    ],
)
def test_sharing__with_wrong_input__is_told_so(acme, sign_in, path, content, status):
    project = add_project(acme)
    document = add_document(acme, project)
    owner = sign_in(acme)

    for thing in (f"/projects/{project.id}", f"/projects/{project.id}/documents/{document.id}"):
        assert owner.post(f"{thing}/{path}", content).status_code == status


def test_project_list__searched__shows_what_begins_like_it(acme, sign_in):
    for name in ("Hiring plan", "Office move"):
        add_project(acme, name)

    page = sign_in(acme).get("/projects/", {"q": "hir"}).content.decode()

    assert "Hiring plan" in page
    assert "Office move" not in page
