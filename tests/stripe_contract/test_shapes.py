"""Every answer of every served list and object, alone and expanded, is what stripe-python says it is."""

from __future__ import annotations

import pytest
import requests

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import Expandable, ListOf, OneOf
from apps.stripe_sandbox.core.routes import ROUTES
from apps.stripe_sandbox.core.shapes import INCLUDABLE, record_of
from tests.stripe_contract.annotations import gaps
from tests.stripe_contract.conftest import SANDBOX_KEY, client_of
from tests.stripe_contract.world import World

pytestmark = pytest.mark.slow

HEADERS = {"Authorization": f"Bearer {SANDBOX_KEY}"}
LISTS = sorted(
    path
    for method, path in ROUTES
    if method == "GET" and "{}" not in path and not path.endswith(("/search", "/preview", "/account"))
)
NEED = {"/v1/subscription_items": "subscription", "/v1/entitlements/active_entitlements": "customer"}


@pytest.fixture
def world(own):
    """A sandbox with one of everything, and a renewal that failed."""
    world = World(client_of(own).v1)
    world.furnish()
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    meter = world.api.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    world.subscribe(customer, world.price(recurring={"usage_type": "metered", "meter": meter.id}))
    world.subscribe(customer, world.price())
    world.let_fail(customer)
    world.api.billing_portal.sessions.create({"customer": customer.id})
    world.api.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["customer.deleted"]})
    world.advance(clock, "2027-02-05")
    return world


def ask(own, path: str, **query):
    answer = requests.get(f"{own.url}{path}", params=query, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, (path, query, answer.text)
    return answer.json()


def test_lists_and_objects__plain_and_expanded__have_no_gaps(own, world):
    wrong: list[str] = []
    empty = []
    customer = world.api.customers.list({"limit": 1}).data[0].id
    subscription = world.api.subscriptions.list({"limit": 1}).data[0].id
    for path in LISTS:
        needed = {"subscription": subscription, "customer": customer}
        query = {NEED[path]: needed[NEED[path]]} if path in NEED else {}
        listed = ask(own, path, limit=100, **query)
        wrong += [f"{path}: {gap}" for gap in gaps(listed)]
        if not listed["data"]:
            empty.append(path)
        for doc in listed["data"][:4]:
            wrong += expanded(own, path, doc)
    assert wrong == []
    assert empty == ["/v1/accounts", "/v1/entitlements/active_entitlements", "/v1/tax_ids"]


def expanded(own, path: str, doc) -> list[str]:
    """The object by itself, with each field expanded that can be."""
    if ("GET", f"{path}/{{}}") not in ROUTES:
        return []
    object_ = doc["object"]
    names = [name for name, field in fields(record_of(object_)).items() if is_expandable(field.type)]
    shown = ask(own, f"{path}/{doc['id']}", **{"expand[]": [*names, *INCLUDABLE.get(object_, ())]})
    return [f"{path} expanded: {gap}" for gap in gaps(shown)]


def is_expandable(type_) -> bool:
    if isinstance(type_, ListOf):
        return is_expandable(type_.item)
    return isinstance(type_, Expandable) or (isinstance(type_, OneOf) and any(map(is_expandable, type_.options)))


def test_events__carry_objects_without_gaps(own, world):
    wrong, types, cursor = [], set(), {}
    while True:
        page = ask(own, "/v1/events", limit=100, **cursor)
        for event in page["data"]:
            types.add(event["type"])
            wrong += [f"{event['type']}: {gap}" for gap in gaps(event["data"]["object"])]
        if not page["has_more"]:
            break
        cursor = {"starting_after": page["data"][-1]["id"]}

    assert wrong == []
    assert len(types) >= 40
