"""Whether an address is known can be told neither from an answer nor from the work that was done for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from django import forms
from django.contrib.auth.hashers import get_hasher
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework import serializers

from apps.audit.actors import SYSTEM
from apps.staff import services as staff
from tests.support.clients import APEX, API
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, add_person
from tests.support.fields import fields

UNKNOWN = "nobody@example.com"


class Way(NamedTuple):
    """A route that anybody may give an address, with the form or serializer that takes it."""

    takes: str
    path: str
    body: Callable[[str, str], dict[str, str]]
    on_apex: bool = False

    def go(self, acme: Any, email: str, password: str) -> Any:
        client = Client(HTTP_HOST=APEX if self.on_apex else acme.host)
        kind = {"content_type": "application/json"} if self.path.startswith(API) else {}
        return client.post(self.path, self.body(email, password), **kind)


def address(email: str, password: str) -> dict[str, str]:
    return {"email": email}


def credentials(email: str, password: str) -> dict[str, str]:
    return {"email": email, "password": password}


def creating(email: str, password: str) -> dict[str, str]:
    return {"organization": "New", "email": email, "password": password}


WAYS = {
    "sign-in page": Way("SignInForm", "/sign-in/", lambda e, p: {"login": e, "password": p}),
    "staff": Way("", "/admin/login/", lambda e, p: {"username": e, "password": p}, on_apex=True),
    "login": Way("LoginSerializer", f"{API}/auth/login", credentials),
    "login at the apex": Way("LoginSerializer", f"{API}/auth/login", credentials, on_apex=True),
    "reset page": Way("AddressForm", "/sign-in/reset/", address),
    "reset": Way("AddressSerializer", f"{API}/auth/password-reset", address),
    "reset at the apex": Way("AddressSerializer", f"{API}/auth/password-reset", address, on_apex=True),
    "lookup page": Way("AddressForm", "/find-organizations/", address, on_apex=True),
    "lookup": Way("AddressSerializer", f"{API}/auth/find-organizations", address),
    "lookup at the apex": Way("AddressSerializer", f"{API}/auth/find-organizations", address, on_apex=True),
    "sign-up page": Way("SignUpForm", "/sign-up/", creating, on_apex=True),
    "sign-up": Way("RegisterSerializer", f"{API}/auth/register", creating, on_apex=True),
}
FOR_MEMBERS = {"InviteForm": "says who is a member already", "InviteSerializer": "says who is a member already"}
ANSWERS = {"PersonSerializer", "InvitationSerializer", "MemberSerializer", "MeSerializer"}


def test_ways__that_take_an_address__are_all_here():
    taking = {
        name.partition(".")[0]
        for name, field in fields()
        if isinstance(field, forms.EmailField | serializers.EmailField)
    } | {"SignInForm"}  # whose field is made with the form

    listed = {way.takes for way in WAYS.values() if way.takes} | FOR_MEMBERS.keys()
    assert_complete(listed, taking - ANSWERS, table="tests/test_same_work.py:WAYS")


VALUES = re.compile(r"/\*.*?\*/|'(?:[^']|'')*'(?:::\w+)?|\b\d+\b|NULL", re.DOTALL)


class Work:
    """What was done: statements without their values, and passwords hashed."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.hashed = 0


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    work, hasher = Work(), type(get_hasher())
    encode = hasher.encode

    def counted(self: Any, password: str, salt: str, *more: Any) -> str:
        work.hashed += 1
        return str(encode(self, password, salt, *more))

    with monkeypatch.context() as patch, CaptureQueriesContext(connections["default"]) as queries:
        patch.setattr(hasher, "encode", counted)
        yield work
    work.statements = [re.sub(VALUES, "?", query["sql"]) for query in queries]


PASSWORDS = {
    "short": "short",
    "guessable": "aaaaaaaaaaaaaaaa",
    "decomposed": "cafe\u0301",
    "wrong": "not the password, no",
}


CASES = [
    (name, kind)
    for name in WAYS
    for kind in PASSWORDS
    if not (name.startswith("sign-up") and kind == "wrong")  # whoever is not known is signed up, by intent
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_address__known_or_not__is_answered_alike_after_the_same_work(acme, monkeypatch, name, kind):
    way, known, password = WAYS[name], add_person(acme), PASSWORDS[kind]
    staff.appoint(email=known.email, password=PASSWORD, is_superuser=False, actor=SYSTEM)
    way.go(acme, "first@example.com", password)  # what is looked up once

    with watched(monkeypatch) as for_known:
        told = way.go(acme, known.email, password)
    with watched(monkeypatch) as for_unknown:
        untold = way.go(acme, UNKNOWN, password)

    assert told.status_code == untold.status_code
    assert traceless(told, known.email) == traceless(untold, UNKNOWN)
    assert for_known.hashed == for_unknown.hashed
    assert for_known.statements == for_unknown.statements


def traceless(response: Any, email: str) -> str:
    """The answer without what differs between any two."""
    return re.sub(r"[0-9a-f-]{36}|csrfmiddlewaretoken\" value=\"\w+", "", response.content.decode()).replace(email, "")
