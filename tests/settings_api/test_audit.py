"""The API of the audit log, and the API's own description."""

from __future__ import annotations

import csv
import io
import json
import re

from django.test import Client

from tests.support.factories import add_person, add_project

from .callers import API, link, program, send

# -- the audit log ----------------------------------------------------------------------------------------------------


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
    return b"".join(response.streaming_content).decode("utf-8-sig")


# -- the API's own description ----------------------------------------------------------------------------------------


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
