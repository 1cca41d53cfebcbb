"""Calls with an Idempotency-Key: they run once and answer the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.access.models import IdempotentCall
from apps.access.permissions import Role
from apps.access.services.idempotency import ABANDONED_AFTER
from apps.accounts.models import Invitation
from apps.accounts.roles import Assigned
from apps.accounts.services import members
from apps.projects.models import Document, Project
from apps.projects.services import projects
from apps.tenancy.context import control
from tests.support import servers
from tests.support.clients import API, Crowd, Program, issue, membership_of, program_of
from tests.support.factories import Organization, add_person, add_project
from tests.support.limits import allow

PLAN = {"name": "Plan"}


def post(client: Program, body: Any = None, key: str = "k", path: str = "projects", **headers: str) -> Any:
    return client.post(path, PLAN if body is None else body, Idempotency_Key=key, **headers)


def names(organization: Organization) -> list[str]:
    with organization.inside():
        return sorted(Project.objects.values_list("name", flat=True))


def change_calls(**values: Any) -> int:
    with control("change calls"):
        return int(IdempotentCall.objects.update(**values))


def dies(**values: Any) -> None:
    """The process of the one call there is dies before it has any effect: nothing was done for it."""
    change_calls(id=uuid4(), status=None, body=None, **values)


def calls() -> list[IdempotentCall]:
    with control("read calls"):
        return list(IdempotentCall.objects.all())


def was_replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotent-Replayed") == "true")


# -- the same again ----------------------------------------------------------------------------------------------


def test_call__repeated__answers_the_same_and_has_one_effect(home):
    client = program_of(home)

    first, again = post(client), post(client)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["ETag"] == first["ETag"]
    assert again["Content-Type"] == first["Content-Type"]
    assert (was_replayed(first), was_replayed(again)) == (False, True)
    assert names(home) == ["Plan"]


def test_call__repeated_with_its_members_in_another_order__is_the_same(acme):
    client = program_of(acme)

    post(client, {"name": "Plan", "description": "D"})

    assert was_replayed(post(client, {"description": "D", "name": "Plan"}))


def test_call__without_a_key_or_with_another__is_a_call_of_its_own(acme):
    client = program_of(acme)
    post(client)

    assert post(client, key="other").json()["code"] == "project_name_taken"
    assert client.post("projects", PLAN).status_code == 409
    assert post(client, {"name": "Second"}, key="K").status_code == 201


@pytest.mark.parametrize(("method", "body", "status"), [("delete", None, 204), ("patch", {"name": "Better"}, 200)])
def test_call__on_one_thing__repeated__answers_the_same(home, method, body, status):
    client, project = program_of(home), add_project(home)

    answers = [client.call(method, f"projects/{project.id}", body, Idempotency_Key="k") for _ in range(2)]

    assert [a.status_code for a in answers] == [status, status]
    assert answers[0].content == answers[1].content
    assert answers[0].headers.get("Content-Type") == answers[1].headers.get("Content-Type")
    assert [was_replayed(a) for a in answers] == [False, True]


def test_upload__repeated__is_stored_once_and_another_file_is_refused(home):
    project = add_project(home)
    client = Client(HTTP_HOST=home.host, headers={"Authorization": f"Bearer {issue(home).access}"})

    def upload(content: bytes) -> Any:
        file = SimpleUploadedFile("a.txt", content)
        return client.post(f"{API}/projects/{project.id}/documents", {"file": file}, headers={"Idempotency-Key": "k"})

    answers = [upload(b"one"), upload(b"one"), upload(b"two")]

    assert [a.status_code for a in answers] == [201, 201, 422]
    assert answers[0].content == answers[1].content
    with home.inside():
        assert Document.objects.get().file.read() == b"one"


def test_read__with_a_key__is_not_kept(acme):
    client = program_of(acme)

    assert client.get("projects", Idempotency_Key="k").status_code == 200
    assert calls() == []


@pytest.mark.parametrize("path", ["auth/login", "auth/refresh", "auth/password-reset", "auth/validate"])
def test_public_call__with_a_key__is_refused_as_nobody_could_be_told_from_others(acme, path):
    body = {"email": "a@example.com", "password": "x", "refresh": "x"}

    answer = Program(acme.host).post(path, body, Idempotency_Key="k")

    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_needs_credentials")
    assert calls() == []


# -- something else ----------------------------------------------------------------------------------------------


def test_key__used_for_another_call__is_refused(acme):
    client, project = program_of(acme), add_project(acme)
    post(client)

    for answer in [
        post(client, {"name": "Other"}),
        post(client, path="roles"),
        client.call("patch", f"projects/{project.id}", PLAN, Idempotency_Key="k"),
    ]:
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert answer["Content-Type"] == "application/problem+json"
    assert len(names(acme)) == 2


def test_key__of_another_member_key_or_organization__is_another_key(platform, database):
    home, foreign = platform["pool"]
    robot = program_of(home).post("api-keys", {"name": "r", "scopes": ["projects:write", "projects:read"]})
    clients = [
        program_of(home),
        program_of(home, add_person(home)),
        program_of(foreign),
        Program(home.host, robot.json()["key"]),
    ]

    answers = [post(client, {"name": f"P{number}"}) for number, client in enumerate(clients)]

    assert [a.status_code for a in answers] == [201] * 4
    assert len(calls()) == 4


def test_key__of_a_person__is_the_same_with_their_next_token(acme):
    post(program_of(acme))

    assert was_replayed(post(program_of(acme)))


def test_replay__to_somebody_who_may_no_longer__is_refused(acme):
    person = add_person(acme)
    assert post(program_of(acme, person)).status_code == 201

    member_id = membership_of(acme, person).id
    members.change_role(actor=acme.subject, member_id=member_id, role=Assigned(Role.VIEWER))

    assert post(program_of(acme, person)).status_code == 403


def test_replay__of_a_call_that_took_the_right_from_its_caller__answers_the_same(home):
    person = add_person(home, Role.ADMIN)
    client, path = program_of(home, person), f"members/{membership_of(home, person).id}"

    first = client.call("patch", path, {"role": "viewer"}, Idempotency_Key="k")
    again = program_of(home, person).call("patch", path, {"role": "viewer"}, Idempotency_Key="k")

    assert (first.status_code, again.status_code, was_replayed(again)) == (200, 200, True)
    assert again.content == first.content
    for key, content in [("k", {"role": "admin"}), ("other", {"role": "viewer"})]:
        assert program_of(home, person).call("patch", path, content, Idempotency_Key=key).status_code == 403


def test_replay__of_anothers_change_of_ones_own_rights__is_refused(acme):
    person = add_person(acme, Role.ADMIN)
    path, change = f"members/{membership_of(acme, person).id}", {"role": "viewer"}
    assert program_of(acme).call("patch", path, change, Idempotency_Key="k").status_code == 200

    assert program_of(acme, person).call("patch", path, change, Idempotency_Key="k").status_code == 403


# -- at once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attempt", range(5))
def test_calls__of_eight_at_once__have_one_effect(home, attempt):
    token = issue(home).access

    with Crowd(8) as crowd:
        answers = crowd.all(lambda _: post(Program(home.host, token)))

    ran = [a for a in answers if a.status_code == 201 and not was_replayed(a)]
    others = [a for a in answers if a not in ran]
    assert len(ran) == 1
    for answer in others:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotent_call_in_progress"
            assert answer["Retry-After"] == "1"
        else:
            assert (answer.status_code, answer.content) == (201, ran[0].content)
    assert names(home) == ["Plan"]
    assert was_replayed(post(Program(home.host, token)))


# -- failures ----------------------------------------------------------------------------------------------------


def test_call__that_fails_on_our_side__frees_its_key(home, monkeypatch):
    client = program_of(home)
    with monkeypatch.context() as broken:
        broken.setattr(projects, "_index", lambda project: 1 / 0)
        failed = post(client)

    again = post(client)

    assert (failed.status_code, failed["Content-Type"]) == (500, "application/problem+json")
    assert (again.status_code, was_replayed(again)) == (201, False)
    assert names(home) == ["Plan"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("projects", {"name": ""}, 400), ("projects", {"name": "Taken"}, 409), ("roles", {"name": "R"}, 400)],
)
def test_call__that_is_refused__is_refused_the_same_again(acme, path, body, status):
    add_project(acme, "Taken")
    client = program_of(acme)

    answers = [post(client, body, path=path) for _ in range(2)]

    assert [a.status_code for a in answers] == [status, status]
    assert answers[0].content == answers[1].content
    assert {a["Content-Type"] for a in answers} == {"application/problem+json"}
    assert was_replayed(answers[1])


def test_call__that_came_too_often__may_be_tried_again(acme, settings):
    allow(settings, "invitation", account=1)
    client, body = program_of(acme), {"email": "a@example.com", "role": "viewer"}
    client.post("invitations", {**body, "email": "b@example.com"})

    refused = post(client, body, path="invitations")
    allow(settings, "invitation", account=100)
    again = post(client, body, path="invitations")

    assert (refused.status_code, again.status_code) == (429, 201)
    with control("count"):
        assert Invitation.objects.filter(email="a@example.com").count() == 1


def test_call__that_cannot_be_read__leaves_its_key_free(acme):
    client = Client(HTTP_HOST=acme.host, headers={"Authorization": f"Bearer {issue(acme).access}"})

    unread = client.post(f"{API}/projects", b"{", content_type="application/json", headers={"Idempotency-Key": "k"})

    assert unread.status_code == 400
    assert post(program_of(acme)).status_code == 201


def test_call__that_is_still_running__is_a_conflict_until_it_must_be_dead(acme):
    client, now = program_of(acme), timezone.now()
    post(client)
    with acme.inside():
        Project.objects.all().delete()

    dies(started_at=now - ABANDONED_AFTER + timedelta(seconds=10))
    running = post(client)
    change_calls(started_at=now - ABANDONED_AFTER)
    taken_over = post(client)

    assert (running.status_code, running.json()["code"]) == (409, "idempotent_call_in_progress")
    assert (taken_over.status_code, was_replayed(taken_over)) == (201, False)
    assert was_replayed(post(client))


@pytest.mark.parametrize(("lasted", "least", "most"), [(0, 1, 1), (3, 1, 1), (6, 45, 54), (30, 20, 30), (50, 1, 10)])
def test_call__that_is_still_running__says_when_to_come_again(acme, lasted, least, most):
    client = program_of(acme)
    post(client)
    dies(started_at=timezone.now() - timedelta(seconds=lasted))

    assert least <= int(post(client)["Retry-After"]) <= most


def test_call__that_died__is_taken_over_by_one_only(acme):
    client, now = program_of(acme), timezone.now()
    post(client)
    with acme.inside():
        Project.objects.all().delete()
    dies(started_at=now - ABANDONED_AFTER)
    token = issue(acme).access

    with Crowd(8) as crowd:
        answers = crowd.all(lambda _: post(Program(acme.host, token)))

    assert len([a for a in answers if a.status_code == 201 and not was_replayed(a)]) == 1
    assert names(acme) == ["Plan"]


def test_call__of_the_day_before__is_forgotten(acme):
    client = program_of(acme)
    post(client)
    age = calls()[0].expires_at - timezone.now()
    assert timedelta(hours=23, minutes=59) < age <= timedelta(hours=24)

    change_calls(expires_at=timezone.now())
    other = post(client, {"name": "Other"})

    assert (other.status_code, was_replayed(other)) == (201, False)
    assert len(calls()) == 1


# -- keys and secrets --------------------------------------------------------------------------------------------

BAD_KEYS = ["", "x" * 256, "a\tb", "a\x7fb", "a\x00b", "\x01", "a\u00a0b"]


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
def test_key__that_is_none__is_refused(acme, key):
    answer = post(program_of(acme), key=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_idempotency_key")
    assert names(acme) == []


@pytest.mark.parametrize("key", ["x", "x" * 255, "a key, with; all \"sorts' of %s", "é"])
def test_key__that_can_be_printed__is_taken(acme, key):
    client = program_of(acme)

    assert [was_replayed(post(client, key=key)) for _ in range(2)] == [False, True]


def test_api_key__made_twice_under_a_key__is_one_and_its_secret_is_sealed(home):
    client, body = program_of(home), {"name": "robot", "scopes": ["projects:read"]}

    first, again = post(client, body, path="api-keys"), post(client, body, path="api-keys")

    secret = first.json()["key"]
    assert (again.json()["key"], was_replayed(again)) == (secret, True)
    assert len(client.get("api-keys").json()["results"]) == 1
    with servers.as_operator() as connection:
        rows = connection.execute("SELECT t::text, body FROM accounts_idempotentcall t").fetchall()
    assert len(rows) == 1
    assert not [row for row in rows if secret[-20:] in row[0] or "robot" in row[0]]
    assert Program(home.host, secret).get("projects").status_code == 200
