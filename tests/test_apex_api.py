"""The API on the apex, where no organization is named but by a token: whatever is asked, it is no fault of ours."""

from __future__ import annotations

import functools
import itertools
import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from apps.accounts.services.invitations import make_token
from apps.core.routes import named_routes
from tests.support.clients import APEX, Program, issue
from tests.support.factories import PASSWORD
from tests.support.routes import CONTROL_URLS, METHODS
from tests.support.things import stock

ROUTES = {name: pattern for name, pattern in named_routes(CONTROL_URLS) if hasattr(pattern.callback, "cls")}
# What a text has to be for the view to go on with it.
TEXTS = {"email": "somebody@example.com", "password": PASSWORD, "time_zone": "UTC", "locale": "de", "role": "viewer"}
BY_FORMAT = {"email": "somebody@example.com", "uuid": str(uuid4()), "date-time": "2999-01-01T00:00:00Z"}


@pytest.fixture
def generous(settings) -> None:
    """Nobody is stopped for trying too often."""
    settings.ATTEMPT_LIMITS = {action: {"seconds": 60} for action in settings.ATTEMPT_LIMITS}


@functools.cache
def description() -> dict[str, Any]:
    return SchemaGenerator(urlconf=CONTROL_URLS).get_schema(request=None, public=True)  # type: ignore[no-untyped-call,no-any-return]


def plausible(schema: dict[str, Any], name: str = "") -> Any:
    """A value as the description asks for it."""
    if "$ref" in schema:
        return plausible(description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for joined in ("allOf", "oneOf", "anyOf"):
        if joined in schema:
            return plausible(schema[joined][0], name)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        fields = schema["properties"].items()
        return {field: plausible(its, field) for field, its in fields if not its.get("readOnly")}
    if "items" in schema:
        return [plausible(schema["items"])]
    types = schema.get("type", "string")
    kind = types if isinstance(types, str) else types[0]
    by_type = {"boolean": True, "integer": 1, "number": 1.5, "object": {}}
    text = TEXTS.get(name) or BY_FORMAT.get(schema.get("format", ""), "projects:read")
    return by_type.get(kind, text)


def bodies(method: str, address: str) -> list[bytes]:
    """An empty one, and one as described."""
    operation = description()["paths"].get(address, {}).get(method, {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return [b"{}", *([json.dumps(plausible(content["schema"])).encode()] if content else [])]


def as_described(address: str, ids: dict[str, Any]) -> str:
    return functools.reduce(lambda path, name: path.replace(str(ids[name]), f"{{{name}}}"), ids, address)


@pytest.mark.parametrize("signed_in", [False, True], ids=["anonymous", "with a token"])
def test_route__on_the_apex__never_fails(acme, generous, signed_in):
    arguments = stock(acme).arguments()
    client = Client(HTTP_HOST=APEX, raise_request_exception=False)

    failed, tried, answered = [], 0, set()
    for method, route in itertools.product(METHODS, ROUTES):  # what is deleted is deleted last
        ids = {name: arguments[name] for name in ROUTES[route].pattern.converters}
        address = reverse(route, kwargs=ids, urlconf=CONTROL_URLS)
        for body in bodies(method, as_described(address, ids)):
            headers = {"Authorization": f"Bearer {issue(acme).access}"} if signed_in else {}
            answer = client.generic(method.upper(), address, body, "application/json", headers=headers)
            tried += 1
            answered.add(answer.status_code)
            if answer.status_code >= 500:
                failed.append((method, route, body, answer.status_code))

    assert failed == []
    assert tried > 7 * len(ROUTES) + 20
    assert answered >= ({200, 201, 204, 400, 405} if signed_in else {200, 400, 401, 405})


@pytest.mark.parametrize(("host", "status"), [(APEX, 400), ("", 201)], ids=["the apex", "the organization's"])
def test_invitation__accepted_at_a_host__is_told_where_to_be_accepted_or_taken(acme, host, status):
    token = make_token(stock(acme)["accounts.Invitation"])

    answer = Program(host or acme.host).post("invitations/accept", {"token": token, "password": PASSWORD})

    assert answer.status_code == status
    assert host != APEX or answer.json()["code"] == "invitation_elsewhere"
