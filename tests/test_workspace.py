"""The overview, the search, the theme, the charts."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, members, roles, sharing
from apps.core.charts import AreaChart
from apps.core.templatetags.people import initials
from apps.projects.services import custom_fields, documents, projects
from apps.tenancy.context import control
from tests.support.factories import add_document, add_person, add_project


def test_overview__of_a_new_organization__says_what_to_do_first(home, sign_in):
    page = sign_in(home).get("/").content.decode()

    for step in ("Create a project", "Upload a document", "Invite a colleague", "Choose your colors"):
        assert step in page
    assert "No projects yet" in page


@pytest.mark.parametrize(
    ("path", "parent", "title"),
    [
        ("/projects/", "", "Projects"),
        ("/roles/new/", "Roles", "New role"),
        ("/projects/new/", "Projects", "New project"),
    ],
)
def test_page__with_a_title__says_it_to_the_window_in_the_path_and_above_all(acme, sign_in, path, parent, title):
    page = sign_in(acme).get(path).content.decode()

    assert words(page, r"<title>(.*?)</title>") == f"{title} · {acme.tenant.name}"
    assert words(page, r'<nav aria-label="Breadcrumb">(.*?)</nav>') == (f"{parent} / {title}" if parent else title)
    assert words(page, r"<h1[^>]*>(.*?)</h1>") == title


def words(page: str, part: str) -> str:
    [found] = re.findall(part, page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


def test_overview__of_a_busy_organization__shows_its_figures(home, foreign, sign_in):
    for name in ("One", "Two"):
        add_document(home, add_project(home, name), b"x" * 2048)
    add_document(foreign, add_project(foreign, "Not ours"), b"x" * 4096)
    with home.inside():
        invitations.invite(actor=home.subject, email="new@example.com", role=Assigned("viewer"))

    page = text_of(sign_in(home).get("/"))

    assert re.search(r"Projects 2 .* Documents 2 .* Storage 4.0\xa0KB .* Members 1 1 invited", page)
    assert "Not ours" not in page


def test_overview__for_a_viewer__offers_nothing_they_may_not_do(home, sign_in):
    page = sign_in(home, add_person(home, "viewer")).get("/").content.decode()

    for offered in ("New project", "Getting started", "Recorded events", "/audit/", "/api-keys/"):
        assert offered not in page


def test_overview__with_more_of_everything__costs_no_more_queries(acme, sign_in):
    client = sign_in(acme)
    counts = []
    for _ in range(2):
        for _ in range(3):
            add_document(acme, add_project(acme))
            add_person(acme)
        with CaptureQueriesContext(connections["default"]) as queries:
            client.get("/")
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert counts[0] <= 14  # the person, and one for each thing that is shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("relaunch", {"Website relaunch"}),
        ("proj", {"Projects"}),
        ("notes", {"notes.txt"}),
        ("owner", {"owner"}),
        ("nothing at all", set()),
        ("", {"Overview", "Projects", "Members"}),
        ("\x00<script>", set()),
    ],
)
def test_search__with_words__finds_pages_projects_documents_and_members(acme, sign_in, query, found):
    add_document(acme, add_project(acme, "Website relaunch"))

    page = sign_in(acme).get("/search/", {"q": query}).content.decode()

    results = page.split('id="results"')[1]
    assert all(label in results for label in found)
    assert "<script>" not in results
    assert ("Nothing is called" in results) == (not found)


def test_search__by_somebody_with_less_sight__hides_what_they_may_not_see(acme, sign_in):
    add_project(acme, "Quiet takeover")
    client = sign_in(acme, add_person(acme, "viewer"))
    with acme.inside():
        projects.create_project(actor=acme.subject, name="Quiet merger", is_private=True)

    results = client.get("/search/", {"q": "quiet"}).content.decode()

    assert "Quiet takeover" in results
    assert "Quiet merger" not in results


def test_search__by_somebody_who_has_a_single_document__does_not_name_its_project(acme, sign_in):
    person = add_person(acme, "viewer")
    with acme.inside():
        project = projects.create_project(actor=acme.subject, name="Quiet merger", is_private=True)
        document = add_document(acme, project)
        sharing.share(actor=acme.subject, resource=document, user_id=person.id, relation="viewer")

    results = sign_in(acme, person).get("/search/", {"q": document.name}).content.decode()

    assert f'href="/projects/{project.id}/documents/{document.id}/"' in results
    assert f'href="/projects/{project.id}/"' not in results
    assert "Quiet merger" not in results


@pytest.mark.parametrize(("chosen", "kept"), [("dark", "dark"), ("light", "light"), ("system", ""), ("<b>", "")])
def test_theme__chosen__holds_from_the_next_page_on(acme, chosen, kept):
    client = Client(HTTP_HOST=acme.host)

    answer = client.post("/theme/", {"theme": chosen, "next": "/sign-in/"})
    page = client.get("/sign-in/").content.decode()

    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert ("data-theme" in page) == bool(kept)
    assert f'data-theme="{kept}"' in page or not kept


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil"])
def test_theme__with_another_site_to_return_to__stays_here(acme, elsewhere):
    answer = Client(HTTP_HOST=acme.host).post("/theme/", {"theme": "dark", "next": elsewhere})

    assert answer["Location"] == "/"


@pytest.mark.parametrize("word", ["overview", "nothing", "?page=2", "#top"])
def test_theme__with_a_word_to_return_to__takes_it_as_an_address(acme, word):
    answer = Client(HTTP_HOST=acme.host).post("/theme/", {"theme": "dark", "next": word})

    assert (answer.status_code, answer["Location"]) == (302, word)


def test_redirect__for_htmx__is_told_in_its_header(acme, sign_in):
    client = sign_in(acme)

    answer = client.post("/projects/new/", {"name": "By htmx"}, headers={"HX-Request": "true"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["HX-Redirect"].startswith("/projects/")


VALUES = st.lists(st.integers(0, 10**9), min_size=1, max_size=60)


@given(VALUES, st.none() | st.integers(0, 10**9))
def test_chart__of_any_values__stays_inside_its_frame(values, limit):
    chart = AreaChart([(str(index), value) for index, value in enumerate(values)], limit, 920, 240)

    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", chart.curve)]
    heights = numbers[1::2]

    assert all(chart.top - 0.11 <= height <= chart.floor + 0.11 for height in heights)
    assert chart.ceiling >= max(values)
    assert 2 <= len(chart.lines) <= 8
    assert len({line.label for line in chart.lines}) == len(chart.lines)


@given(VALUES)
def test_chart__of_any_values__passes_through_all_of_them(values):
    chart = AreaChart([(str(index), value) for index, value in enumerate(values)], None, 340, 200)

    ends = re.findall(r"[ML](\S+) (\S+)", chart.curve)

    assert len(ends) == len(values)
    assert len(chart.hits) == len(values)


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Amara Okafor", "AO"), ("ann.lee@example.com", "AL"), ("Plato", "P"), ("", ""), ("a b c", "AC")],
)
def test_initials__of_a_name__are_its_first_and_last(name, letters):
    assert initials(name) == letters


def test_member__renamed__is_greeted_by_the_new_name(acme, sign_in):
    client = sign_in(acme)
    with control("find a member"):
        member = acme.owner.memberships.get(tenant=acme.tenant)
    members.update_profile(actor=acme.subject, member_id=member.id, name="Amara Okafor")

    assert "Good to see you, Amara Okafor" in client.get("/").content.decode()


def text_of(response: Any) -> str:
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


HOSTILE = "\"><img src=x onerror=alert(1)>{{ 7|add:7 }}'"


def test_pages__with_hostile_names__show_them_as_text(acme, sign_in):
    with control("find a member"):
        member = acme.owner.memberships.get(tenant=acme.tenant)
    members.update_profile(actor=acme.subject, member_id=member.id, name=HOSTILE)
    project = add_project(acme, HOSTILE)
    with acme.inside():
        role = roles.create_role(actor=acme.subject, name=HOSTILE, permissions=["projects:read"])
        api_keys.create_api_key(actor=acme.subject, name=HOSTILE, scopes=["projects:read"])
        custom_fields.define_custom_field(actor=acme.subject, key="x", label=HOSTILE, kind="text")
        upload = SimpleUploadedFile("x", b"content")
        upload._name = HOSTILE
        documents.add_document(actor=acme.subject, project=project, upload=upload)
    client = sign_in(acme)
    paths = [
        *("/", "/projects/", "/projects/new/", f"/projects/{project.id}/", f"/projects/{project.id}/edit/"),
        *(f"/projects/{project.id}/{page}/" for page in ("delete", "shares", "share")),
        *(
            "/members/",
            "/roles/",
            f"/roles/{role.id}/",
            "/api-keys/",
            "/audit/",
            "/profile/",
            "/security/",
            "/settings/",
        ),
        *("/settings/fields/", "/settings/danger/", "/members/leave/", "/search/?q=img", "/invitations/new/"),
    ]

    for path in paths:
        response = client.get(path)
        page = response.content.decode()
        assert response.status_code == 200, path
        assert "<img src=x" not in page, path
        assert "alert(1)&gt;14" not in page, f"{path} runs names as templates"
        assert "&amp;quot;" not in page, f"{path} escapes twice"
