"""Programs that call the API, as tests need them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections
from django.test import Client

from apps.accounts.models import Membership, User
from apps.accounts.services import tokens
from apps.accounts.services.tokens import TokenPair
from apps.tenancy.context import control
from tests.factories import Organization

API = "/api/v1"
APEX = "localhost"
ME = f"{API}/users/me"


class Program:
    """Speaks JSON to one host, with a token if it has one."""

    def __init__(self, host: str, token: str = "", **headers: str) -> None:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = Client(headers=headers, HTTP_HOST=host, raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        address = path if path.startswith("/") else f"{API}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return getattr(self._client, method)(address, headers=named, **content)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("post", path, body, **headers)


def membership_of(organization: Organization, user: User | None = None) -> Membership:
    with control("look a member up"):
        rows = Membership.objects.select_related("user", "tenant", "custom_role")
        return rows.get(tenant=organization.tenant, user=user or organization.owner)


def issue(organization: Organization, user: User | None = None) -> TokenPair:
    """Tokens of a member, the owner if nobody is named."""
    return tokens.issue(membership_of(organization, user))


def program_of(organization: Organization, user: User | None = None) -> Program:
    """A program that is signed in on the organization's host."""
    return Program(organization.host, issue(organization, user).access)


class Crowd:
    """Threads that do the same thing at the same moment, each with connections of its own."""

    def __init__(self, size: int) -> None:
        self._size, self._barrier = size, Barrier(size)
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self.all(lambda _: connections.close_all())
        self._pool.shutdown()

    def all(self, work: Any) -> list[Any]:
        """What each made of its number."""

        def at_once(number: int) -> Any:
            self._barrier.wait(30)
            return work(number)

        return list(self._pool.map(at_once, range(self._size)))
