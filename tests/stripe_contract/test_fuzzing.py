"""Any parameters of the right types on any served operation: an answer or a refusal, never a failure."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import requests

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import Choice, ListOf, MapOf, OneOf, Record, Scalar
from apps.stripe_sandbox.core.routes import ROUTES
from tests.stripe_contract.conftest import SANDBOX_KEY, client_of
from tests.stripe_contract.world import World, at

pytestmark = pytest.mark.slow

HEADERS = {"Authorization": f"Bearer {SANDBOX_KEY}"}
TRIES = 16
NAMES = {
    "subscription_exposed_id": "subscription",
    "subscription": "subscription",
    "intent": "payment_intent",
    "item": "subscription_item",
    "id": "subscription_item",
    "schedule": "subscription_schedule",
    "session": "checkout.session",
    "test_clock": "test_helpers.test_clock",
    "configuration": "billing_portal.configuration",
    "default_payment_method": "payment_method",
    "invoice_line_item": "line_item",
    "from_subscription": "subscription",
    "default_tax_rates": "tax_rate",
    "tax_rates": "tax_rate",
    "meter": "billing.meter",
}
DEPTH = 3


class Inventor:
    """Makes up parameters, with ids of things that are there."""

    def __init__(self, seed: int, ids: dict[str, list[str]]) -> None:
        self.random = random.Random(seed)
        self.ids = ids

    def id_for(self, name: str) -> str:
        """Mostly of a type that fits the name, so that more than the first check is reached."""
        object_ = NAMES.get(name, name)
        fitting = self.ids.get(object_)
        if fitting and self.random.random() < 0.9:
            return self.random.choice(fitting)
        return self.random.choice([id_ for some in self.ids.values() for id_ in some])

    def record(self, record: Record, tree: Any, depth: int = 0) -> dict[str, Any]:
        made = {}
        for name, field in fields(record).items():
            if name == "expand" or (tree is not None and name not in tree):
                continue
            if field.required or self.random.random() < (0.25 if depth == 0 else 0.4):
                self.name = name
                made[name] = self.value(field.type, None if tree is None else tree[name], depth + 1)
        return made

    def value(self, type_: Any, tree: Any, depth: int) -> Any:
        if isinstance(type_, OneOf):
            return self.value(self.random.choice(type_.options), tree, depth)
        if isinstance(type_, Choice):
            return self.random.choice(type_.values)
        if isinstance(type_, ListOf):
            return [self.value(type_.item, tree, depth) for _ in range(self.random.randint(0, 2))]
        if isinstance(type_, MapOf):
            return {"eur": self.value(type_.item, tree, depth)} if isinstance(type_.item, Record) else {"key": "value"}
        if isinstance(type_, Record):
            return self.record(type_, tree, depth) if depth <= DEPTH else {}
        return self.scalar(type_)

    def scalar(self, type_: Scalar) -> Any:
        moments = [at("2027-01-02"), at("2027-02-10"), 0]
        return (
            {
                "int": self.random.choice([-1, 0, 1, 3, 50, 1000, *moments]),
                "bool": self.random.choice(["true", "false"]),
                "float": self.random.choice([0, 12.5, 100]),
                "Decimal": self.random.choice(["0", "0.5", "12.345"]),
            }.get(type_.name)
            if type_.name in ("int", "bool", "float", "Decimal")
            else self.text()
        )

    def text(self) -> str:
        if self.name in ("currency", "url", "success_url", "return_url", "email"):
            return {"currency": "usd", "email": "a@example.com"}.get(self.name, "https://example.com")
        return self.id_for(self.name) if self.random.random() < 0.9 else "text"


def flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """As a form: `items[0][price]`."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in flat(item, f"{name}[{key}]" if name else key)]
    if isinstance(value, list):
        return [pair for number, item in enumerate(value) for pair in flat(item, f"{name}[{number}]")]
    return [(name, str(value).lower() if isinstance(value, bool) else value)]


def _filled(inventor: Inventor, path: str) -> str:
    own_object = {
        "/v1/products/{id}": "product",
        "/v1/billing/meters/{id}": "billing.meter",
        "/v1/credit_notes/{id}": "credit_note",
    }
    for start, object_ in own_object.items():
        if path.startswith(start):
            path = path.replace("{id}", inventor.random.choice(inventor.ids[object_]), 1)
    return re.sub(r"\{(\w+)\}", lambda match: inventor.id_for(match[1]), path)


def test_anything__on_any_route__never_fails(own):
    world = World(client_of(own).v1)
    world.furnish()
    clock = world.clock("2027-01-01")
    world.subscribe(world.customer(clock=clock), world.price())
    with own.store.transaction() as session:
        rows = session.connection.execute("SELECT object, id FROM documents WHERE object != 'event'").fetchall()
        parts = session.connection.execute("SELECT 'subscription_item', id FROM parts").fetchall()
    ids: dict[str, list[str]] = {}
    for object_, id_ in rows + parts:
        ids.setdefault(object_, []).append(id_)
    failed, answered = [], 0
    for number, ((method, _), route) in enumerate(sorted(ROUTES.items())):
        for attempt in range(TRIES):
            inventor = Inventor(number * 100 + attempt, ids)
            record = route.operation.parameters
            form = flat(inventor.record(record, route.served) if record else {})
            url = own.url + _filled(inventor, route.operation.path)
            sent = {"params": form} if method == "GET" else {"data": form}
            answer = requests.request(method, url, headers=HEADERS, timeout=60, **sent)
            answered += answer.status_code == 200
            if answer.status_code >= 500:
                failed.append((method, url, form))

    moved = requests.post(f"{own.url}/_sandbox/advance", json={"seconds": 40 * 86_400}, timeout=120)
    clocks = list(world.api.test_helpers.test_clocks.list({"limit": 100}).auto_paging_iter())

    assert failed == []
    assert moved.status_code == 200
    assert {clock.status for clock in clocks} == {"ready"}
    assert answered > 500
