"""The sandbox says what it has not, and the checker of its answers sees what is wrong."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from apps.stripe_sandbox import coverage, registry
from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.operations import operations
from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.routes import ROUTES
from apps.stripe_sandbox.core.served import unknown_names
from apps.stripe_sandbox.core.session import NEXT_DUE
from apps.stripe_sandbox.core.shapes import record_of
from tests.stripe_contract.annotations import gaps

HOME = Path(coverage.__file__).parent


@pytest.fixture(autouse=True)
def loaded():
    registry.load()


def test_coverage__in_the_document__is_that_of_the_code():
    text = (HOME / "COVERAGE.md").read_text()

    assert text == coverage.document(), "python -m apps.stripe_sandbox.coverage > apps/stripe_sandbox/COVERAGE.md"


def test_routes__serve_only_what_stripe_has():
    assert set(ROUTES) <= set(operations())
    wrong = {key: unknown_names(route.served, route.operation.parameters) for key, route in ROUTES.items()}
    assert not {key: names for key, names in wrong.items() if names}


def test_events__are_of_types_that_stripe_has():
    source = "".join(path.read_text() for path in HOME.rglob("*.py"))
    types = set(re.findall(r'emit\([^"]*?"([\w.]+)"', source))

    assert len(types) > 60
    assert types <= set(fields(record_of("event"))["type"].type.values)


def test_whatever_is_due__has_somebody_to_do_it():
    assert set(NEXT_DUE) == set(clock.ACTIONS)


def test_limits__name_what_is_simplified():
    text = (HOME / "LIMITS.md").read_text()

    assert "## Absent" in text
    assert "## Simplified" in text


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (["email"], 5, "is no"),
        (["balance"], "5", "is no int"),
        (["livemode"], None, "is no bool"),
        (["invented"], 1, "knows no such field"),
        (["tax_exempt"], "sometimes", "is none of"),
        (["invoice_settings", "invented"], 1, "knows no such field"),
        (["address"], {"city": 5}, "is no"),
        (["metadata"], "x", "no mapping"),
    ],
)
def test_checker__sees_what_is_wrong(api, world, path, value, complaint):
    customer = world.customer(card=None).to_dict()
    assert gaps(customer) == []
    broken = copy.deepcopy(customer)
    target = broken
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value

    assert any(complaint in found for found in gaps(broken)), gaps(broken)


def test_checker__misses_nothing_that_must_be_there(world):
    customer = world.customer(card=None).to_dict()
    del customer["created"]

    assert gaps(customer) == ["customer.created: missing"]
    assert gaps({"object": "list", "data": [customer], "has_more": False, "url": "/v1/customers"})
