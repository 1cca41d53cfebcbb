"""Keys for an organization's programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.access.permissions import GRANTS, Role
from apps.accounts.models import ApiKey, Membership
from apps.accounts.roles import Assigned
from apps.accounts.services import members, roles
from apps.core import clocks
from apps.tenancy.context import control
from tests.support import servers
from tests.support.clients import APEX, ME, Program, membership_of, program_of
from tests.support.factories import Organization, add_person, add_project

from .logins import LOGOUT, VALIDATE


def make_key(organization: Organization, *scopes: str, **more: Any) -> dict[str, Any]:
    body = {"name": "robot", "scopes": list(scopes) or ["projects:read"], **more}
    answer = program_of(organization).post("api-keys", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_api_key__in_use__does_what_its_scopes_say_and_nothing_else(home):
    add_project(home, "Plan")
    robot = Program(home.host, make_key(home)["key"])

    assert [p["name"] for p in robot.get("projects").json()["results"]] == ["Plan"]
    for method, path, body in [
        ("post", "projects", {"name": "New"}),
        ("get", "audit/events", None),
        ("get", "api-keys", None),
        ("get", "users/org", None),
        ("post", "invitations", {"email": "a@example.com", "role": "viewer"}),
        ("get", ME, None),
    ]:
        assert robot.call(method, path, body).status_code == 403, path
    with home.inside():
        assert robot.post(VALIDATE).json()["permissions"] == ["projects:list", "projects:read"]


def test_api_key__on_the_apex_or_a_foreign_host__stays_in_its_organization(home, foreign):
    key = make_key(home)["key"]
    add_project(home, "Ours")

    assert [p["name"] for p in Program(APEX, key).get("projects").json()["results"]] == ["Ours"]
    answer = Program(foreign.host, key).get("projects")
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_token")


def test_api_key__once_made__shows_its_secret_no_more_and_is_stored_as_a_hash(home):
    made = make_key(home)

    listed = program_of(home).get("api-keys")

    assert made["key"].encode() not in listed.content
    assert listed.json()["results"][0].keys().isdisjoint({"key", "secret_hash"})
    secret = made["key"].removeprefix(made["prefix"])
    with servers.as_operator() as connection:
        tables = ["accounts_apikey", "audit_controlevent", "accounts_idempotentcall"]
        for table in tables:
            rows = connection.execute(f"SELECT t::text FROM {table} t").fetchall()
            assert not [row for (row,) in rows if secret in row], table


def test_api_key__past_its_time__is_refused(acme):
    made = make_key(acme, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())
    assert Program(acme.host, made["key"]).get("projects").status_code == 200

    with control("let time pass"):
        ApiKey.objects.filter(id=made["id"]).update(expires_at=clocks.over())

    assert Program(acme.host, made["key"]).get("projects").status_code == 401


def test_api_key__revoked__is_refused_on_the_next_request(home):
    made, other = make_key(home), make_key(home)

    assert program_of(home).call("delete", f"api-keys/{made['id']}").status_code == 204

    assert Program(home.host, made["key"]).get("projects").status_code == 401
    assert Program(home.host, other["key"]).get("projects").status_code == 200
    assert program_of(home).call("delete", f"api-keys/{made['id']}").status_code == 404


def test_api_key__in_use__notes_it_to_the_minute(acme):
    made = make_key(acme)
    assert made["last_used_at"] is None

    Program(acme.host, made["key"]).get("projects")
    with control("read"):
        first = ApiKey.objects.get(id=made["id"]).last_used_at
    Program(acme.host, made["key"]).get("projects")
    with control("read"):
        second = ApiKey.objects.get(id=made["id"]).last_used_at

    assert timezone.now() - first < timedelta(seconds=10)
    assert first == second


@pytest.mark.parametrize(
    "change", [lambda k: k[:-1], lambda k: k + "x", lambda k: k.upper(), lambda k: k[:17] + "y" * 43, lambda k: k[:16]]
)
def test_api_key__misspelled__is_refused(acme, change):
    made = make_key(acme)

    assert Program(acme.host, change(made["key"])).get("projects").status_code == 401


def test_api_key__by_somebody_with_fewer_rights__cannot_exceed_them(acme):
    person = add_person(acme)
    role = roles.create_role(actor=acme.subject, name="Keys", permissions=["keys:manage", "projects:read"])
    member_id = membership_of(acme, person).id
    members.change_role(actor=acme.subject, member_id=member_id, role=Assigned(Role.CUSTOM, role))
    client = program_of(acme, person)

    within = client.post("api-keys", {"name": "a", "scopes": ["projects:read"]})
    beyond = client.post("api-keys", {"name": "b", "scopes": ["projects:read", "projects:write"]})

    assert (within.status_code, beyond.status_code) == (201, 403)
    assert (beyond.json()["code"], beyond.json()["errors"][0]["field"]) == ("beyond_own_rights", "scopes")


def test_api_key__that_manages_keys__makes_none_however_small(acme):
    robot = Program(acme.host, make_key(acme, "keys:manage", "projects:read")["key"])

    for scope in ("projects:read", "audit:view"):
        answer = robot.post("api-keys", {"name": "a", "scopes": [scope]})
        assert (answer.status_code, answer.json()["code"]) == (403, "beyond_own_rights")


@pytest.mark.parametrize(("scope", "status"), [("users:manage", 200), ("settings:manage", 200), ("audit:view", 403)])
def test_api_key__that_may_change_members__may_look_at_them(acme, scope, status):
    robot = Program(acme.host, make_key(acme, scope)["key"])

    assert {robot.get(path).status_code for path in ("members", "roles", "settings")} == {status}


def test_api_key__of_a_program__has_no_profile_and_no_sessions(acme):
    robot = Program(acme.host, make_key(acme, *GRANTS[Role.ADMIN])["key"])

    assert robot.get("users/me").status_code == 403
    assert Membership.__name__ not in robot.get("sessions").content.decode()
    assert robot.post(LOGOUT).status_code in (401, 403)
