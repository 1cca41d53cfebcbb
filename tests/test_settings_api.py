"""The API of settings, projects with their custom fields and shares, and the audit log; and its description."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.utils import timezone

from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, roles, tokens
from apps.projects.models import Document, Project, SearchTerm
from apps.projects.selectors import search
from apps.tenancy.context import control
from tests import servers
from tests.factories import Organization, add_document, add_person, add_project

API = "/api/v1"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)
WEBP = b"RIFF\x40\x00\x00\x00WEBPVP8 " + bytes(64)


def program(organization: Organization, user: User | None = None) -> Client:
    with control("look"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role")
        member = rows.get(tenant=organization.tenant, user=user or organization.owner)
    access = tokens.issue(member).access
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {access}", raise_request_exception=False)


@pytest.fixture
def client(acme) -> Client:
    """The owner's."""
    return program(acme)


def send(client: Client, method: str, path: str, content: Any = None, *, if_match: str | None = None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    data = "" if content is None else json.dumps(content)
    return client.generic(method, f"{API}{path}", data, content_type="application/json", headers=headers)


def fields(response: Any) -> set[str]:
    return {error["field"] for error in response.json()["errors"]}


# -- settings ----------------------------------------------------------------------------------------------------

SETTINGS = {
    "name": "Ünïcode & Sons",
    "locale": "de-AT",
    "time_zone": "Europe/Vienna",
    "brand_name": "Sons",
    "brand_color": "#00aaff",
}


def test_settings__never_changed__have_defaults(home):
    found = send(program(home), "GET", "/settings").json()

    assert (found["name"], found["locale"], found["time_zone"]) == (home.tenant.name, "en", "UTC")
    assert (found["brand_name"], found["brand_color"], found["has_logo"]) == ("", "", False)


def test_settings__changed__stay_changed(home, foreign):
    client = program(home)
    seen = send(client, "GET", "/settings")["ETag"]

    changed = send(client, "PATCH", "/settings", SETTINGS, if_match=seen)
    stale = send(client, "PATCH", "/settings", {"name": "Other"}, if_match=seen)
    found = send(client, "GET", "/settings")

    assert (changed.status_code, stale.status_code, stale.json()["code"]) == (200, 412, "precondition_failed")
    assert {name: found.json()[name] for name in SETTINGS} == SETTINGS
    assert found["ETag"] == changed["ETag"] != seen
    assert send(client, "GET", "/users/org").json()["name"] == SETTINGS["name"]
    assert send(program(foreign), "GET", "/settings").json()["name"] == foreign.tenant.name


def test_brand_color__in_capitals__is_kept_in_small_letters(acme, client):
    assert send(client, "PATCH", "/settings", {"brand_color": "#00AAFF"}).json()["brand_color"] == "#00aaff"


BAD_SETTINGS = [
    ({"name": ""}, "name"),
    ({"name": "  "}, "name"),
    ({"name": "x" * 201}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"name": None}, "name"),
    ({"locale": ""}, "locale"),
    ({"locale": "Deutsch"}, "locale"),
    ({"locale": "de\n"}, None),
    ({"time_zone": "Mars/Olympus"}, "time_zone"),
    ({"time_zone": ""}, "time_zone"),
    ({"brand_name": "x" * 61}, "brand_name"),
    ({"brand_color": "red"}, "brand_color"),
    ({"brand_color": "#00aaf"}, "brand_color"),
    ({"brand_color": "#00aaff;"}, "brand_color"),
    ({"brand_color": "url(x)"}, "brand_color"),
]


@pytest.mark.parametrize(("content", "field"), BAD_SETTINGS)
def test_settings__that_are_wrong__name_the_field(acme, client, content, field):
    response = send(client, "PATCH", "/settings", content)

    if field is None:
        assert response.json()["locale"] == "de"
    else:
        assert (response.status_code, fields(response)) == (400, {field})


# -- the logo ----------------------------------------------------------------------------------------------------


def put_logo(client: Client, content: bytes, name: str = "logo.png", content_type: str = "image/png") -> Any:
    upload = SimpleUploadedFile(name, content, content_type=content_type)
    data = encode_multipart(BOUNDARY, {"file": upload})
    return client.put(f"{API}/settings/logo", data, content_type=MULTIPART_CONTENT)


def stored_files(organization: Organization) -> int:
    return len([file for file in organization.folder.rglob("*") if file.is_file()])


@pytest.mark.parametrize(
    ("content", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")], ids=["png", "jpeg", "webp"]
)
def test_logo__uploaded__is_shown_as_what_it_is(acme, client, content, kind):
    assert put_logo(client, content, "x.html", "text/html").status_code == 204
    shown = client.get(f"{API}/settings/logo")

    assert (b"".join(shown.streaming_content), shown["Content-Type"]) == (content, kind)
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert send(client, "GET", "/settings").json()["has_logo"] is True


def test_logo__replaced_and_removed__leaves_no_file(home, foreign):
    client = program(home)
    put_logo(client, PNG)
    put_logo(client, JPEG)
    assert (stored_files(home), stored_files(foreign)) == (1, 0)
    assert program(foreign).get(f"{API}/settings/logo").status_code == 404

    assert client.delete(f"{API}/settings/logo").status_code == 204
    assert client.delete(f"{API}/settings/logo").status_code == 204
    assert client.get(f"{API}/settings/logo").status_code == 404
    assert stored_files(home) == 0


BAD_LOGOS = {
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "html": b"<!doctype html><script>alert(1)</script>",
    "gif": b"GIF89a" + bytes(64),
    "other riff": b"RIFF\x40\x00\x00\x00WAVEfmt " + bytes(64),
    "late png": b" " + PNG,
    "too large": PNG + bytes(512 * 1024),
    "empty": b"",
}


@pytest.mark.parametrize("name", BAD_LOGOS)
def test_logo__that_is_no_picture_or_too_large__is_refused(acme, client, name):
    response = put_logo(client, BAD_LOGOS[name])

    assert (response.status_code, fields(response)) == (400, {"file"})
    assert stored_files(acme) == 0


# -- custom fields -----------------------------------------------------------------------------------------------


def define(client: Client, kind: str = "text", key: str = "field", **more: Any) -> Any:
    return send(client, "POST", "/custom-fields", {"key": key, "label": "Field", "kind": kind, **more})


VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "text": (["a", "ü" * 1000, "<b>"], ["x" * 1001, 1, True, ["a"], {"a": 1}, "a\x00b"]),
    "number": ([0, -1, 2.5, 10**12], ["1", True, [1], {"a": 1}]),
    "date": (["2026-02-28", "0001-01-01"], ["2026-02-30", "28.02.2026", "20260228", 20260228, True]),
    "boolean": ([True, False], ["true", 0, 1]),
    "choice": (["red", "blue"], ["green", "RED", 1, ["red"], {"red": 1}]),
}
TABLE = [(kind, value, i == 0) for kind, both in VALUES.items() for i, values in enumerate(both) for value in values]


@pytest.mark.parametrize(("kind", "value", "valid"), TABLE, ids=lambda v: str(v)[:12])
def test_custom_field__given_a_value__takes_what_is_of_its_kind(acme, client, kind, value, valid):
    define(client, kind, choices=["red", "blue"] if kind == "choice" else [])

    response = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": value}})

    if valid:
        assert (response.status_code, response.json()["custom_fields"]) == (201, {"field": value})
    else:
        assert (response.status_code, fields(response)) == (400, {"custom_fields.field"})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_custom_field__given_a_number_that_is_none__is_refused(acme, client, text):
    define(client, "number")
    body = f'{{"name": "Plan", "custom_fields": {{"field": {text}}}}}'

    response = client.post(f"{API}/projects", body, content_type="application/json")

    assert response.status_code == 400


def test_custom_field__required_or_unknown__names_the_field(acme, client):
    define(client, "text", required=True)

    missing = send(client, "POST", "/projects", {"name": "Plan"})
    empty = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": ""}})
    unknown = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": "x", "other": 1}})

    assert [fields(r) for r in (missing, empty)] == [{"custom_fields.field"}] * 2
    assert fields(unknown) == {"custom_fields.other"}


def test_custom_fields__of_a_project__change_one_by_one(acme, client):
    define(client, "text", "a")
    define(client, "number", "b")
    project = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"a": "x", "b": 1}}).json()
    path = f"/projects/{project['id']}"

    changed = send(client, "PATCH", path, {"custom_fields": {"b": 2}}).json()["custom_fields"]
    cleared = send(client, "PATCH", path, {"custom_fields": {"a": None}}).json()["custom_fields"]
    untouched = send(client, "PATCH", path, {"name": "Better"}).json()["custom_fields"]

    assert (changed, cleared, untouched) == ({"a": "x", "b": 2}, {"b": 2}, {"b": 2})


def test_custom_field__deleted__does_not_stand_in_the_way_of_the_others(acme, client):
    gone = define(client, "text", "gone").json()
    define(client, "number", "kept")
    project = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"gone": "x", "kept": 1}}).json()

    assert send(client, "DELETE", f"/custom-fields/{gone['id']}").status_code == 204
    changed = send(client, "PATCH", f"/projects/{project['id']}", {"custom_fields": {"kept": 2}})

    assert (changed.status_code, changed.json()["custom_fields"]) == (200, {"kept": 2})


BAD_FIELDS = [
    ({"key": "Upper"}, 400, "key"),
    ({"key": "1st"}, 400, "key"),
    ({"key": "a" * 41}, 400, "key"),
    ({"key": "a\n"}, 201, ""),
    ({"key": "taken"}, 409, "key"),
    ({"label": ""}, 400, "label"),
    ({"kind": "file"}, 400, "kind"),
    ({"kind": "choice"}, 400, "choices"),
    ({"kind": "text", "choices": ["a"]}, 400, "choices"),
    ({"kind": "choice", "choices": ["x"] * 51}, 400, "choices"),
]


@pytest.mark.parametrize(("content", "status", "field"), BAD_FIELDS)
def test_custom_field__defined_wrongly__names_the_field(acme, client, content, status, field):
    define(client, key="taken")

    response = send(client, "POST", "/custom-fields", {"key": "new", "label": "New", "kind": "text", **content})

    assert response.status_code == status, response.content
    if status != 201:
        assert {name.split(".")[0] for name in fields(response)} == {field}


def test_custom_field__changed__keeps_key_and_kind(acme, client):
    field = define(client, "choice", choices=["a"]).json()
    path = f"/custom-fields/{field['id']}"

    changed = send(client, "PATCH", path, {"label": "New", "choices": ["a", "b"], "kind": "text", "key": "other"})
    emptied = send(client, "PATCH", path, {"choices": []})

    found = send(client, "GET", path).json()
    assert (changed.status_code, emptied.status_code) == (200, 400)
    assert (found["key"], found["kind"], found["label"], found["choices"]) == ("field", "choice", "New", ["a", "b"])


# -- lists of projects -------------------------------------------------------------------------------------------


def listed(client: Client, query: str) -> list[str]:
    response = send(client, "GET", f"/projects?{query}")
    assert response.status_code == 200, response.content
    return [project["name"] for project in response.json()["results"]]


SEARCHES = {
    "": {"Café Zürich", "Office move", "Hiring plan", "Straßenfest", "100% done"},
    "caf": {"Café Zürich"},
    "cafe": {"Café Zürich"},
    "CAFÉ": {"Café Zürich"},
    "zurich": {"Café Zürich"},
    "zur caf": {"Café Zürich"},
    "caf move": set(),
    "afé": set(),
    "office": {"Office move", "Hiring plan"},
    "off mov": {"Office move"},
    "straße": {"Straßenfest"},
    "STRASSEN": {"Straßenfest"},
    "100%": {"100% done"},
    "_": set(),
    "%": {"Café Zürich", "Office move", "Hiring plan", "Straßenfest", "100% done"},
    "'; DROP TABLE": set(),
}


@pytest.mark.parametrize("text", SEARCHES)
def test_projects__searched__have_words_that_begin_like_it(acme, client, text):
    described = {"Hiring plan": "for the new office"}
    for name in ("Café Zürich", "Office move", "Hiring plan", "Straßenfest", "100% done"):
        send(client, "POST", "/projects", {"name": name, "description": described.get(name, "")})

    assert set(listed(client, f"search={text.replace('%', '%25')}")) == SEARCHES[text]


def test_projects__searched_after_a_change__are_found_by_the_new_words(acme, client):
    project = add_project(acme, "Old name")
    send(client, "PATCH", f"/projects/{project.id}", {"name": "New name"})

    assert [listed(client, f"search={word}") for word in ("old", "new", "name")] == [[], ["New name"], ["New name"]]
    send(client, "DELETE", f"/projects/{project.id}")
    with acme.inside():
        assert not SearchTerm.objects.exists()


def test_search__among_thousands__uses_its_index_behind_the_walls(acme):
    with acme.inside():
        Project.objects.bulk_create(Project(name=f"number{n:05}") for n in range(3000))
        SearchTerm.objects.bulk_create(SearchTerm(project=p, term=p.name) for p in Project.objects.all())
        analyze(acme)
        plan = search(Project.objects.order_by("-created_at", "-id"), "number0012").explain()

        assert "projects_searchterm_term" in plan
        assert "Seq Scan on projects_searchterm" not in plan
        assert search(Project.objects.all(), "number0012").count() == 10


def analyze(organization: Organization) -> None:
    with servers.as_owner(connections[organization.place.alias].settings_dict["NAME"]) as connection:
        for table in ("projects_project", "projects_searchterm"):
            connection.execute(f'ANALYZE "{organization.place.schema}"."{table}"')


def test_projects__filtered__are_those_that_fit(acme, client):
    colleague = add_person(acme)
    send(program(acme, colleague), "POST", "/projects", {"name": "Theirs"})
    send(client, "POST", "/projects", {"name": "Secret", "is_private": True})
    first = send(client, "POST", "/projects", {"name": "Last"}).json()["created_at"].replace("+", "%2B")

    assert listed(client, f"created_by={colleague.id}") == ["Theirs"]
    assert listed(client, "is_private=true") == ["Secret"]
    assert listed(client, "is_private=false") == ["Last", "Theirs"]
    assert listed(client, f"created_after={first}") == ["Last"]
    assert listed(client, f"created_before={first}") == ["Secret", "Theirs"]
    assert listed(client, f"is_private=true&created_by={colleague.id}") == []


BAD_QUERIES = ["is_private=perhaps", "created_by=me", "created_after=yesterday", "ordering=price", "page_size=0"]


@pytest.mark.parametrize("query", [*BAD_QUERIES, "page_size=101", f"search={'x' * 201}"])
def test_projects__asked_for_wrongly__name_the_parameter(acme, client, query):
    response = send(client, "GET", f"/projects?{query}")

    assert (response.status_code, fields(response)) == (400, {query.split("=")[0]})


@pytest.mark.parametrize("ordering", ["-created_at", "created_at", "-updated_at", "updated_at", "name", "-name"])
@pytest.mark.parametrize("same_time", [False, True])
def test_projects__walked_by_link_header__come_once_each_in_order(acme, client, ordering, same_time):
    with acme.inside():
        for number in range(23):
            Project.objects.create(name=f"P{number:02}")
        if same_time:
            Project.objects.update(created_at=timezone.now(), updated_at=timezone.now())
        expected = list(Project.objects.order_by(ordering, "-id" if ordering[0] == "-" else "id"))

    path, found = f"{API}/projects?page_size=5&ordering={ordering}", []
    while path:
        response = client.get(path)
        found += [UUID(project["id"]) for project in response.json()["results"]]
        path = link(response, "next")
        assert path == response.json()["next"]

    assert found == [project.id for project in expected]


def link(response: Any, relation: str) -> str | None:
    found = re.search(rf'<([^>]+)>; rel="{relation}"', response.headers.get("Link", ""))
    return found[1] if found else None


def test_projects__added_while_one_walks__move_nothing(acme, client):
    for number in range(6):
        add_project(acme, f"P{number}")
    first = send(client, "GET", "/projects?page_size=3")
    add_project(acme, "Later")

    second = client.get(link(first, "next"))
    back = client.get(link(second, "prev"))

    assert [p["name"] for p in second.json()["results"]] == ["P2", "P1", "P0"]
    assert [p["name"] for p in back.json()["results"]] == ["P5", "P4", "P3"]


# -- one project, many at once -----------------------------------------------------------------------------------


def test_project__changed_with_etags__is_not_overwritten_unseen(home):
    client = program(home)
    made = send(client, "POST", "/projects", {"name": "Plan"})
    path = f"/projects/{made.json()['id']}"
    assert send(client, "GET", path)["ETag"] == made["ETag"]

    changed = send(client, "PATCH", path, {"name": "Better"}, if_match=made["ETag"])
    stale = send(client, "PATCH", path, {"name": "Worse"}, if_match=made["ETag"])
    several = send(client, "PATCH", path, {"name": "Best"}, if_match=f"{made['ETag']}, {changed['ETag']}")
    anything = send(client, "PATCH", path, {"description": "x"}, if_match="*")

    assert [r.status_code for r in (changed, stale, several, anything)] == [200, 412, 200, 200]
    assert send(client, "GET", path).json()["name"] == "Best"


def test_project__changed_to_what_it_is__keeps_its_etag(acme, client):
    made = send(client, "POST", "/projects", {"name": "Plan"})

    changed = send(client, "PATCH", f"/projects/{made.json()['id']}", {"name": "Plan"})

    assert changed["ETag"] == made["ETag"]


def bulk(client: Client, *items: Any) -> Any:
    return send(client, "POST", "/projects/bulk", {"items": list(items)})


def test_bulk__of_good_ones__creates_them_in_order(home):
    client = program(home)

    response = bulk(client, *({"name": f"P{n}", "is_private": n % 2 == 0} for n in range(100)))

    assert response.status_code == 201
    assert [item["name"] for item in response.json()["items"]] == [f"P{n}" for n in range(100)]
    assert listed(client, "page_size=2") == ["P99", "P98"]


BAD_BULKS = [
    ([{"name": "A"}, {"name": ""}], 400, {"items.1.name"}),
    ([{"name": "A"}, {}], 400, {"items.1.name"}),
    ([{"name": "A"}, {"name": "B"}, {"name": "A"}], 409, {"items.2.name"}),
    ([{"name": "A"}, {"name": "Taken"}], 409, {"items.1.name"}),
    ([{"name": "A"}, {"name": "B", "custom_fields": {"x": 1}}], 400, {"items.1.custom_fields.x"}),
    ([], 400, {"items"}),
    ([{"name": f"P{n}"} for n in range(101)], 400, {"items"}),
    ("nothing", 400, {"items"}),
]


@pytest.mark.parametrize(("items", "status", "names"), BAD_BULKS)
def test_bulk__with_a_bad_one__creates_none_and_names_it(acme, client, items, status, names):
    add_project(acme, "Taken")

    response = send(client, "POST", "/projects/bulk", {"items": items})

    assert response.status_code == status, response.content
    assert {re.sub(r"\.non_field_errors$", "", name) for name in fields(response)} == names
    assert listed(client, "") == ["Taken"]


# -- sharing -----------------------------------------------------------------------------------------------------


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


# -- the audit log -----------------------------------------------------------------------------------------------


def test_audit__read_page_by_page__tells_everything_once(home):
    client = program(home)
    for number in range(7):
        add_project(home, f"P{number}")
    newest = send(client, "GET", "/audit/events?page_size=1").json()["results"][0]["occurred_at"].replace("+", "%2B")

    path, found = f"{API}/audit/events?page_size=3&action=project&until={newest}", []
    while path:
        response = client.get(path)
        found += response.json()["results"]
        path = link(response, "next")

    assert [event["changes"]["name"][1] for event in found] == [f"P{n}" for n in range(5, -1, -1)]
    assert len({event["id"] for event in found}) == len(found)


def test_audit__filtered__tells_what_fits(home):
    client, colleague = program(home), add_person(home)
    project = send(program(home, colleague), "POST", "/projects", {"name": "Theirs"}).json()
    add_project(home, "Mine")

    def actions(query: str) -> list[str]:
        events = send(client, "GET", f"/audit/events?{query}").json()["results"]
        return [event["action"] for event in events]

    assert actions(f"actor_id={colleague.id}&action=project") == ["project.created"]
    assert actions(f"resource_id={project['id']}") == ["project.created"]
    assert actions("resource_type=project") == ["project.created"] * 2
    assert actions("action=nothing") == []
    assert actions("since=2100-01-01T00:00:00Z") == []
    for query in ("since=yesterday", "page_size=0", "page_size=101"):
        assert send(client, "GET", f"/audit/events?{query}").status_code == 400


def test_audit__exported__is_complete_in_both_formats(home, foreign):
    client = program(home)
    for number in range(3):
        add_project(home, f"P{number}")
        add_project(foreign, f"F{number}")

    lines = exported(client, "format=jsonl&action=project")
    table = list(csv.DictReader(io.StringIO(exported(client, "format=csv&action=project"))))

    events = [json.loads(line) for line in lines.splitlines()]
    assert [event["changes"]["name"][1] for event in events] == ["P2", "P1", "P0"]
    assert [row["action"] for row in table] == ["project.created"] * 3
    assert send(client, "GET", "/audit/export?format=xml").status_code == 400


def exported(client: Client, query: str) -> str:
    response = client.get(f"{API}/audit/export?{query}")
    assert response["Content-Disposition"].startswith("attachment")
    return b"".join(response.streaming_content).decode()


# -- the API's own description -----------------------------------------------------------------------------------


def test_schema__is_openapi_3_1_and_names_permissions_and_problems(acme):
    response = Client(HTTP_HOST=acme.host).get(f"{API}/schema/", headers={"Accept": "application/json"})

    schema = json.loads(response.content)
    operation = schema["paths"][f"{API}/projects/{{project_id}}"]["patch"]
    assert schema["openapi"].startswith("3.1")
    assert operation["x-permission"] == "projects:write"
    assert {p["name"] for p in operation["parameters"]} >= {"If-Match", "Idempotency-Key", "project_id"}
    assert "Problem" in schema["components"]["schemas"]
    assert {"bearer", "session"} <= set(schema["components"]["securitySchemes"])


def test_docs__need_nothing_from_elsewhere(acme):
    client = Client(HTTP_HOST=acme.host)

    page = client.get(f"{API}/docs/")
    script = client.get(f"{API}/docs/?script=")

    assert page.status_code == script.status_code == 200
    assert not re.search(rb"""(?:src|href)=["'](?:https?:)?//""", page.content)
    policy = page["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
