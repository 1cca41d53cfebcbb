"""Who calls the API in these tests."""

from __future__ import annotations

import json
import re
from typing import Any

from django.test import Client

from apps.accounts.models import Membership, User
from apps.accounts.services import tokens
from apps.tenancy.context import control
from tests.support.factories import Organization

API = "/api/v1"


def program(organization: Organization, user: User | None = None) -> Client:
    with control("look"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role")
        member = rows.get(tenant=organization.tenant, user=user or organization.owner)
    access = tokens.issue(member).access
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {access}", raise_request_exception=False)


def send(client: Client, method: str, path: str, content: Any = None, *, if_match: str | None = None) -> Any:
    headers = {} if if_match is None else {"If-Match": if_match}
    data = "" if content is None else json.dumps(content)
    return client.generic(method, f"{API}{path}", data, content_type="application/json", headers=headers)


def fields(response: Any) -> set[str]:
    return {error["field"] for error in response.json()["errors"]}


def listed(client: Client, query: str) -> list[str]:
    response = send(client, "GET", f"/projects?{query}")
    assert response.status_code == 200, response.content
    return [project["name"] for project in response.json()["results"]]


def link(response: Any, relation: str) -> str | None:
    found = re.search(rf'<([^>]+)>; rel="{relation}"', response.headers.get("Link", ""))
    return found[1] if found else None
