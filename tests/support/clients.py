"""Programs that call the API, as tests need them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections
from django.test import Client
from django.test.client import ClientHandler

from apps.accounts.models import Membership, Session, User
from apps.accounts.services import tokens
from apps.accounts.services.tokens import TokenPair
from apps.audit.actors import SYSTEM
from apps.core.http import API_PREFIX
from apps.staff import services as staff
from apps.tenancy.context import control
from config.handlers import ForPrograms
from tests.support.factories import PASSWORD, Organization

API = "/api/v1"
APEX = "localhost"
ME = f"{API}/users/me"


class ProgramHandler(ForPrograms, ClientHandler):
    """Leads calls with credentials past the middlewares that they do not pass when they are served."""


PROGRAMS = ProgramHandler(enforce_csrf_checks=False)
PROGRAMS.load_middleware()  # now, while there is one thread


class Program:
    """Speaks JSON to one host, with a token if it has one."""

    def __init__(self, host: str, token: str = "", **headers: str) -> None:
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._client = Client(headers=headers, HTTP_HOST=host, raise_request_exception=False)
        self._handlers = {False: self._client.handler, True: PROGRAMS}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        address = path if path.startswith("/") else f"{API}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        credentials = named.get("Authorization", self._client.defaults.get("HTTP_AUTHORIZATION"))
        self._client.handler = self._handlers[bool(credentials) and address.startswith(API_PREFIX)]
        return getattr(self._client, method)(address, headers=named, **content)

    def get(self, path: str, **headers: str) -> Any:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("post", path, body, **headers)


class Browser:
    """Keeps somebody's session; whoever has been signed out meanwhile signs in again."""

    def __init__(self, sign_in: Callable[[], Client]) -> None:
        self._sign_in, self._host, self._key = sign_in, "", ""

    def open(self, host: str = "") -> Client:
        """A window with the session, at the host where it began or, as an intruder, at another."""
        with control("look at the session"):
            is_live = Session.objects.filter(session_key=self._key).exists()
        if not is_live:
            client = self._sign_in()
            self._host, self._key = client.defaults["HTTP_HOST"], client.cookies[settings.SESSION_COOKIE_NAME].value
        window = Client(HTTP_HOST=host or self._host, raise_request_exception=False)
        window.cookies[settings.SESSION_COOKIE_NAME] = self._key
        return window


def staff_browser(*, is_superuser: bool) -> Client:
    """Somebody new among the staff, signed in on the apex."""
    email = f"staff{uuid4().hex}@example.com"
    staff.appoint(email=email, password=PASSWORD, is_superuser=is_superuser, actor=SYSTEM)
    client = Client(HTTP_HOST=APEX)
    response = client.post("/admin/login/?next=/admin/", {"username": email, "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    return client


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
