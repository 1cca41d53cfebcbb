"""The API of projects: lists with filters, single ones, many at once."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from apps.projects.models import Project, SearchTerm
from apps.projects.selectors import search
from tests.support import servers
from tests.support.factories import Organization, add_person, add_project

from .callers import API, fields, link, listed, program, send

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
    "%": set(),
    "'; DROP TABLE": set(),
}


# -- lists of projects ------------------------------------------------------------------------------------------------


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
    with servers.as_owner(connections[organization.home.alias].settings_dict["NAME"]) as connection:
        for table in ("projects_project", "projects_searchterm"):
            connection.execute(f'ANALYZE "{organization.home.schema}"."{table}"')


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


def test_projects__added_while_one_walks__move_nothing(acme, client):
    for number in range(6):
        add_project(acme, f"P{number}")
    first = send(client, "GET", "/projects?page_size=3")
    add_project(acme, "Later")

    second = client.get(link(first, "next"))
    back = client.get(link(second, "prev"))

    assert [p["name"] for p in second.json()["results"]] == ["P2", "P1", "P0"]
    assert [p["name"] for p in back.json()["results"]] == ["P5", "P4", "P3"]


# -- one project, many at once ----------------------------------------------------------------------------------------


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
