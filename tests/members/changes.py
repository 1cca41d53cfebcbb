"""What members change about each other, by API."""

from __future__ import annotations

import json
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from django.db import connections
from django.test import Client

from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, roles, tokens
from apps.tenancy.context import control
from tests.support.factories import Organization, add_person

API = "/api/v1"


def membership(organization: Organization, user: User) -> Membership:
    with control("look"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role")
        return rows.get(tenant=organization.tenant, user=user)


def program(organization: Organization, user: User | None = None) -> Client:
    """A client of the API with a person's token."""
    pair = tokens.issue(membership(organization, user or organization.owner))
    return bearer(organization, pair.access)


def bearer(organization: Organization, token: str) -> Client:
    return Client(HTTP_HOST=organization.host, HTTP_AUTHORIZATION=f"Bearer {token}", raise_request_exception=False)


def send(client: Client, method: str, path: str, content: Any = None, **headers: str) -> Any:
    return client.generic(
        method,
        f"{API}{path}",
        "" if content is None else json.dumps(content),
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def answer(response: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return response.status_code, response.json()["code"]


def fields(response: Any) -> set[str]:
    return {error["field"] for error in response.json()["errors"]}


def role_of(organization: Organization, user: User) -> str:
    return membership(organization, user).role_name


def person_with(organization: Organization, *permissions: str, name: str = "Special") -> User:
    """A member with a role of the organization's own."""
    user = add_person(organization)
    role = roles.create_role(actor=organization.subject, name=name, permissions=list(permissions))
    member = membership(organization, user)
    members.change_role(actor=organization.subject, member_id=member.id, role=Assigned("custom", role))
    return user


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned or raised, all begun together."""
    barrier, outcomes = Barrier(len(acts)), [None] * len(acts)

    def run(number: int, act: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            outcomes[number] = act()
        except Exception as error:
            outcomes[number] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def listed(client: Client) -> list[dict[str, Any]]:
    return send(client, "GET", "/sessions").json()["results"]
