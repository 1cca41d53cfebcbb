"""The audit log as a page: who sees it, what it shows, how one moves in it, and whether it is intact."""

from __future__ import annotations

import csv
import io
import json
import re
from base64 import b64encode
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Membership, User
from apps.accounts.services import api_keys
from apps.audit import verification
from apps.audit.chain import control_chain, seal, tenant_chain
from apps.projects.services import projects
from apps.tenancy.context import control
from apps.workspace.views.audit import PER_PAGE
from tests.support import servers
from tests.support.clients import Program
from tests.support.factories import add_person, add_project, subject_of

HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(home, sign_in) -> Client:
    return sign_in(home)


def actions(response: Any) -> list[str]:
    return re.findall(r'<code class="font-medium">([a-z_.]+)</code>', response.content.decode())


def link(response: Any, label: str) -> str:
    found = re.search(
        rf'href="([^"]+)"[^>]*>(?:<svg(?:(?!</svg>).)*</svg>)?\s*{label}', response.content.decode(), re.S
    )
    assert found, label
    return unescape(found[1])


def tail(response: Any) -> str:
    found = re.search(r'id="tail" hx-get="([^"]+)" hx-trigger="every 5s"', response.content.decode())
    assert found
    return "/audit/" + unescape(found[1])


def test_log__of_a_member_without_the_right__is_refused(home, sign_in):
    client = sign_in(home, add_person(home, "member"))

    assert client.get("/audit/").status_code == 403
    assert client.post("/audit/verification/").status_code == 403
    assert b'href="/audit/"' not in client.get("/").content


def test_log__shows_who_did_what_and_what_changed(home, browser):
    with home.inside():
        project = projects.create_project(actor=home.subject, name="Plan <b>")
        projects.update_project(actor=home.subject, project=project, name="Better", description="")

    page = browser.get("/audit/")

    assert actions(page)[:2] == ["project.updated", "project.created"]
    text = page.content.decode()
    assert "<del>Plan &lt;b&gt;</del>" in text
    assert ">Better</ins>" in text
    assert home.owner.email in text
    assert f'title="{project.id}"' in text


def test_log__names_programs_and_whoever_has_left(home, browser):
    _, secret = api_keys.create_api_key(
        actor=home.subject, name="Robot <1>", scopes=["projects:read", "projects:write"]
    )
    Program(home.host, secret).post("projects", {"name": "By a program"})
    leaver = add_person(home, "owner")
    with home.inside():
        projects.create_project(actor=subject_of(home, leaver), name="By somebody")
    with control("leave"):
        leaver.membership.delete()

    text = browser.get("/audit/?action=project").content.decode()

    assert "Robot &lt;1&gt;" in text
    assert "Former member" in text


@pytest.mark.parametrize("count", [1, 20])
def test_log__of_any_length__takes_as_many_queries(acme, sign_in, count, django_assert_max_num_queries):
    client = sign_in(acme)
    for _ in range(count):
        add_project(acme)

    with django_assert_max_num_queries(16):
        assert client.get("/audit/").status_code == 200


def test_log__filtered__shows_only_that(home, browser, sign_in):
    other = add_person(home, "admin")
    add_project(home)
    sign_in(home, other).post("/projects/new/", {"name": "Theirs"})
    today = timezone.now().date()

    assert set(actions(browser.get("/audit/?action=project"))) == {"project.created"}
    assert set(actions(browser.get(f"/audit/?person={other.id}"))) == {"session.started", "project.created"}
    assert actions(browser.get(f"/audit/?since={today}&until={today}&action=project")) == ["project.created"] * 2
    assert actions(browser.get(f"/audit/?until={today - timedelta(days=1)}&action=project")) == []
    assert actions(browser.get(f"/audit/?since={today + timedelta(days=1)}")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("until=2026-13-01", "until"),
        ("person=00000000-0000-4000-8000-000000000000", "person"),
        ("action=%00", "action"),
    ],
)
def test_log__asked_for_nonsense__names_the_field(browser, query, field):
    page = browser.get(f"/audit/?{query}")

    assert page.status_code == 422
    assert f'id="id_{field}_error"'.encode() in page.content


@pytest.mark.parametrize("typed", ["zoë ", "Zoë Ash", "zoe@example.com", "zoe@"])
def test_log__of_somebody_who_is_named__is_theirs_alone(acme, sign_in, typed):
    zoe, other = add_named(acme, "Zoë Ash", "zoe@example.com"), add_named(acme, "Zo Oak", "oak@example.com")
    add_named(acme, "Zoe Ashley", "ashley@example.com")
    for user in (zoe, other):
        with acme.inside():
            projects.create_project(actor=subject_of(acme, user), name=f"Of {user.id}")

    page = sign_in(acme).get("/audit/", {"person": typed, "action": "project"})

    assert page.status_code == 200
    assert actions(page) == ["project.created"]
    assert f"actor_id={zoe.id}" in link(page, "CSV")
    assert tail(sign_in(acme).get("/audit/", {"person": typed, "live": "1"})).count("person=") == 1


def test_log__of_a_name_that_several_have__asks_whom_is_meant(acme, sign_in):
    for number in range(4):
        add_named(acme, "Kim", f"kim{number}@example.com")

    page = sign_in(acme).get("/audit/", {"person": "kim"})

    assert page.status_code == 422
    assert "kim0@example.com, kim1@example.com, kim2@example.com and others" in page.content.decode()


def test_people__suggested_while_one_types__are_few_of_ones_own(acme, platform, sign_in):
    for number in range(15):
        add_named(acme, f"Kim {number:02}", f"kim{number:02}@example.com")
    add_named(platform["schema"][1], "Kim Foreign", "kim@foreign.example")
    client = sign_in(acme)

    found = re.findall(r'value="([^"]+)">([^<]+)', client.get("/audit/people/", {"person": "KIM"}).content.decode())

    assert found == [(f"kim{number:02}@example.com", f"Kim {number:02}") for number in range(10)]
    assert client.get("/audit/people/", {"person": ""}).content.strip() == b""
    assert client.get("/audit/people/", {"person": "\x00%_'"}).content.strip() == b""


@pytest.mark.slow
def test_log__of_thousands_of_members__finds_each_in_as_many_queries(acme, sign_in, django_assert_max_num_queries):
    client = sign_in(acme)
    add_crowd(acme, 5000)

    with django_assert_max_num_queries(16):
        page = client.get("/audit/", {"person": "crowd4999@example.com"})

    assert page.status_code == 200
    assert len(page.content) < 60_000


def add_named(organization: Any, name: str, email: str) -> Any:
    user = add_person(organization)
    with control("name a member"):
        user.memberships.update(name=name, email=email)
    return user


def add_crowd(organization: Any, count: int) -> None:
    with control("add a crowd"):
        users = User.objects.bulk_create(User(email=f"crowd{number}@example.com") for number in range(count))
        Membership.objects.bulk_create(
            Membership(tenant=organization.tenant, user=user, email=user.email, role="member") for user in users
        )


def test_log__paged__shows_every_event_once_both_ways(acme, sign_in):
    client = sign_in(acme)
    made = PER_PAGE * 2 + 3
    for number in range(made):
        add_project(acme, f"Project {number}")

    first = client.get("/audit/?action=project")
    second = client.get("/audit/" + link(first, "Older"))
    third = client.get("/audit/" + link(second, "Older"))
    back = client.get("/audit/" + link(third, "Newer"))

    assert [len(actions(page)) for page in (first, second, third)] == [PER_PAGE, PER_PAGE, 3]
    assert rows(back) == rows(second)
    assert len({row for page in (first, second, third) for row in rows(page)}) == made
    assert b"Older</a>" not in third.content
    assert b"Newer</a>" not in first.content


FARTHEST = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]


@pytest.mark.parametrize("position", ["", *FARTHEST])
@pytest.mark.parametrize("side", ["before", "after"])
def test_log__with_a_cursor_that_no_page_has__is_not_found(browser, side, position):
    cursor = b64encode(f"{position} {uuid4()}".encode()).decode() if position else "nonsense"

    assert browser.get("/audit/", {side: cursor}).status_code == 404


def test_log__until_the_last_day_there_is__is_shown(browser):
    assert browser.get("/audit/?until=9999-12-31").status_code == 200


def test_log__live__is_asked_for_what_came_since_and_no_more(home, browser):
    assert b'id="tail"' not in browser.get("/audit/").content
    page = browser.get("/audit/?live=1&action=project")
    add_project(home, "Before the first poll")

    page = browser.get(tail(page), headers=HTMX)
    first = actions(page)
    add_project(home, "New")
    page = browser.get(tail(page), headers=HTMX)
    second = actions(page)
    third = browser.get(tail(page), headers=HTMX)

    assert (len(second), len(actions(third))) == (1, 0)
    assert first == second == ["project.created"]
    assert b"<html" not in page.content
    assert tail(third) == tail(page)


def test_log__exported__is_the_file_that_was_filtered_for(home, browser):
    add_project(home, "Plan")
    page = browser.get("/audit/?action=project")

    table = browser.get(link(page, "CSV"))
    lines = browser.get(link(page, "JSON lines"))

    written = list(csv.DictReader(io.StringIO(b"".join(table.streaming_content).decode())))
    assert [row["action"] for row in written] == ["project.created"]
    assert json.loads(b"".join(lines.streaming_content))["action"] == "project.created"


def test_verification__of_intact_logs__says_so(home, browser):
    add_project(home)
    seal_logs(home)

    for headers in ({}, HTMX):
        page = browser.post("/audit/verification/", headers=headers)
        assert page.status_code == 200
        assert page.content.count(b"Intact:") == 2
    assert b"Sealed up to number" in browser.get("/audit/").content


def test_verification__of_a_log_that_was_changed__names_what_does_not_fit(home, browser):
    add_project(home)
    seal_logs(home)
    with servers.as_operator(home.database) as connection:
        connection.execute(
            f'UPDATE "{home.home.schema}".audit_event SET action = %s WHERE tenant_id = %s',
            ["project.hidden", home.tenant.id],
        )

    page = browser.post("/audit/verification/")

    assert b"Tampered with: 1 finding" in page.content
    assert b"it does not match its seal" in page.content


def test_verification__of_a_very_long_log__is_left_to_the_operator(acme, sign_in, monkeypatch):
    client = sign_in(acme)
    add_project(acme)
    seal_logs(acme)
    monkeypatch.setattr(verification, "MAX_WAITED_FOR", 0)

    page = client.post("/audit/verification/")

    assert page.status_code == 200
    assert b"too long to be verified" in page.content


def rows(response: Any) -> list[str]:
    return re.findall(r'title="([0-9a-f-]{36})"', response.content.decode())


def seal_logs(organization: Any) -> None:
    with organization.inside():
        seal(tenant_chain())
    with control("seal"):
        seal(control_chain(organization.tenant.id))
