"""Whoever reads of a thing in a second place is told what the thing's own rights allow."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.access import sight
from apps.access.permissions import ALL
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, roles, sharing
from apps.projects.services import documents, projects
from tests.support.clients import issue, membership_of, program_of, staff_browser
from tests.support.factories import Organization, add_person
from tests.support.routes import NEEDS, address_of, body
from tests.support.things import Belongings, stock

PRIVATE, DELETED = "canaryofaprivatething", "canaryofadeletedthing"
PRIVATE_MODELS = [model for model in apps.get_models() if hasattr(model, "share_keys")]
READ = sorted(route for route, needs in NEEDS.items() if "GET" in needs)
BEGINNING = PRIVATE[:-3]  # what is asked for may be said again
ASKED = {
    "search": [f"?q={BEGINNING}"],
    "projects:list": ["", f"?q={BEGINNING}"],
    "api-projects": ["?is_private=true", f"?search={BEGINNING}"],
    "audit-log": ["", "?action=project", "?action=document", "?action=share"],
    "api-audit-events": ["?page_size=100", "?action=share"],
    "api-audit-export": ["?format=csv", "?format=jsonl"],
}


@pytest.fixture
def secrets(acme) -> dict[str, Any]:
    """A private project and its document, shared and renamed, and others that are deleted."""
    member, made = add_person(acme), {}
    with acme.inside():
        for name in (PRIVATE, DELETED):
            project = projects.create_project(actor=acme.subject, name=name, description=name, is_private=True)
            project = projects.update_project(actor=acme.subject, project=project, description=f"{name} of old")
            upload = SimpleUploadedFile(f"{name}.txt", name.encode())
            document = documents.add_document(actor=acme.subject, project=project, upload=upload)
            for thing in (project, document):
                sharing.share(actor=acme.subject, resource=thing, user_id=member.id, relation="viewer")
                sharing.unshare(actor=acme.subject, resource=thing, user_id=member.id)
            made[name] = (project, document)
        documents.delete_document(actor=acme.subject, document=made[DELETED][1])
        projects.delete_project(actor=acme.subject, project=made[DELETED][0])
    return {"project_id": made[PRIVATE][0].id, "document_id": made[PRIVATE][1].id}


def with_rights(organization: Organization, *permissions: str) -> Any:
    role = roles.create_role(actor=organization.subject, name="Reader", permissions=list(permissions))
    person = add_person(organization)
    member_id = membership_of(organization, person).id
    members.change_role(actor=organization.subject, member_id=member_id, role=Assigned("custom", role))
    return person


def browser(organization: Organization, person: Any) -> Client:
    client = Client(HTTP_HOST=organization.host, raise_request_exception=False)
    client.post("/sign-in/", {"login": person.email, "password": organization.password})
    return client


def bearer(organization: Organization, token: str) -> Client:
    headers = {"Authorization": f"Bearer {token}"}
    return Client(headers=headers, HTTP_HOST=organization.host, raise_request_exception=False)


def visitor(organization: Organization) -> Client:
    office = staff_browser(is_superuser=True)
    answer = office.post(f"/admin/tenants/tenant/{organization.tenant.id}/enter/", {"reason": "a ticket"})
    path = answer["Location"].partition(organization.host)[2]
    client = Client(HTTP_HOST=organization.host, raise_request_exception=False)
    client.get(path[path.index("/") :])
    assert client.get("/").status_code == 200
    return client


READERS: dict[str, Callable[[Organization], Client]] = {
    "auditor": lambda acme: browser(acme, with_rights(acme, "audit:view")),
    "all rights in a custom role": lambda acme: browser(acme, with_rights(acme, *ALL)),
    "member": lambda acme: browser(acme, add_person(acme)),
    "key of the owner": lambda acme: bearer(
        acme, api_keys.create_api_key(actor=acme.subject, name="robot", scopes=sorted(ALL))[1]
    ),
    "staff on a visit": visitor,
}


def pages(client: Client, route: str, its: Belongings, ids: dict[str, Any]) -> list[Any]:
    address = address_of(route, {**its.arguments(), **ids})
    return [client.get(f"{address}{query}") for query in ASKED.get(route, [""])]


@pytest.mark.parametrize("reader", READERS)
def test_private_thing__whoever_may_not_see_it__is_named_on_no_page(acme, secrets, reader):
    """Every route that is read, of pages and API, those of the thing itself and all that may speak of it."""
    its, client = stock(acme), READERS[reader](acme)

    telling, read = [], 0
    for route in READ:
        for response in pages(client, route, its, secrets):
            read += response.status_code == 200
            content = f"{body(response).decode(errors='replace')} {dict(response.headers)}"
            if PRIVATE in content or DELETED in content:
                telling.append((route, response.status_code))
    assert read > 10
    assert telling == []


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_private_thing__whoever_sees_all__is_named_in_the_log_even_when_it_is_gone(acme, secrets, role):
    person = acme.owner if role == "owner" else add_person(acme, role)

    answer = program_of(acme, person).get("audit/events?page_size=100").json()["results"]

    assert {PRIVATE, DELETED} <= {e["changes"].get("name", [None, None])[1] for e in answer if "name" in e["changes"]}
    assert not any(event["withheld"] for event in answer)


def test_log__of_what_an_auditor_does_not_see__says_that_it_happened(acme, secrets):
    auditor = with_rights(acme, "audit:view", "projects:read")
    with acme.inside():
        shown = projects.create_project(actor=acme.subject, name="Shown")

    events = program_of(acme, auditor).get("audit/events?action=project&page_size=100").json()["results"]

    by_id = {event["resource"]["id"]: event for event in events if event["action"] == "project.created"}
    hidden = by_id[str(secrets["project_id"])]
    assert (hidden["withheld"], hidden["changes"], hidden["actor"]["id"]) == (True, {}, str(acme.owner.id))
    assert by_id[str(shown.id)]["changes"]["name"] == [None, "Shown"]
    assert "About something that you do not see." in browser(acme, auditor).get("/audit/").content.decode()


def test_log__of_what_is_shared_with_an_auditor__tells_them_all(acme, secrets):
    auditor = with_rights(acme, "audit:view")
    with acme.inside():
        project = projects.Project.objects.get(id=secrets["project_id"])
        sharing.share(actor=acme.subject, resource=project, user_id=auditor.id, relation="viewer")

    lines = body(bearer(acme, issue(acme, auditor).access).get("/api/v1/audit/export?format=jsonl")).splitlines()

    told = [entry for entry in map(json.loads, lines) if entry["resource_id"] == str(project.id)]
    assert {entry["withheld"] for entry in told} == {False}


@pytest.mark.parametrize("model", PRIVATE_MODELS, ids=lambda model: model._meta.label)
def test_model__that_can_be_private__says_who_sees_it(model):
    assert model._meta.model_name in sight.declared()


def test_log__wherever_it_is_read__is_read_through_the_readers_rights():
    """Only one module reads it for people; the operator's export and the audit's own code have all of it."""
    doors = {"events_page", "all_events", "event_pages", "page_of"}
    allowed = {"apps/workspace/audit_reading.py", "apps/operations/management/commands/export_audit_log.py"}
    found = set()
    for file in Path("apps").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            module = getattr(node, "module", "") or ""
            if module in ("apps.audit.selectors", "apps.audit.paging", "apps.audit") and names & {*doors, "paging"}:
                found.add(str(file))
    assert found == allowed
