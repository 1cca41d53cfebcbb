"""Deliveries: signed, in causal order, at least once whatever happens."""

from __future__ import annotations

import time
import uuid

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stripe_contract.conftest import client_of, wait_until
from tests.stripe_contract.receiver import receiving
from tests.stripe_contract.world import World

pytestmark = pytest.mark.usefixtures("sandbox_only")


def control(sandbox, command, **given):
    answer = requests.post(f"{sandbox.url}/_sandbox/{command}", json=given, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_events__of_a_subscription__arrive_signed_and_tell_one_story(api, world):
    with receiving(api, ["*"]) as receiver:
        subscription = world.subscribe(world.customer(), world.price())
        wait_until(
            lambda: any(event["type"] == "customer.subscription.updated" for event in receiver.of(subscription.id))
        )
        wait_until(
            lambda: any(
                event["type"] == "invoice.payment_succeeded" for event in receiver.of(subscription.latest_invoice)
            )
        )

        by_type = {event["type"]: event for event in receiver.of(subscription.id)}
    assert by_type["customer.subscription.created"]["data"]["object"]["status"] == "incomplete"
    updated = by_type["customer.subscription.updated"]["data"]
    assert (updated["object"]["status"], updated["previous_attributes"]["status"]) == ("active", "incomplete")
    stored = [event.type for event in world.events(subscription.latest_invoice, "invoice.*")]
    assert stored == [
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


def test_endpoint__wants_some_types__gets_only_those(api, world):
    with receiving(api, ["customer.deleted"]) as receiver:
        customer = world.customer(card=None)
        api.customers.delete(customer.id)

        wait_until(lambda: receiver.of(customer.id))

    assert {event["type"] for event in receiver.events} == {"customer.deleted"}


def test_endpoint__disabled__gets_nothing(api, world):
    with receiving(api, ["customer.created"]) as receiver:
        endpoint = api.webhook_endpoints.list({"limit": 1}).data[0]
        assert api.webhook_endpoints.update(endpoint.id, {"disabled": True}).status == "disabled"

        customer = world.customer(card=None)

        event = world.events(customer.id, "customer.*")[0]
    assert event.pending_webhooks == 0
    assert not receiver.events


def test_delivery__refused__tried_again_with_the_same_event(api, world):
    with receiving(api, ["customer.created"]) as receiver:
        receiver.fail_next = 1
        customer = world.customer(card=None)

        arrived = wait_until(lambda: receiver.of(customer.id))

    assert (len(arrived), receiver.refused) == (1, 1)
    assert arrived[0]["id"] == world.events(customer.id, "customer.*")[0].id


def test_delivery__refused_for_hours__back_off_by_the_clock(own):
    api = client_of(own).v1
    sandbox, world = own, World(api)
    with receiving(api, ["customer.created"]) as receiver:
        receiver.fail_next = 5
        customer = world.customer(card=None)
        wait_until(lambda: receiver.refused >= 1)

        for seconds in (10, 60, 300, 900):
            control(sandbox, "advance", seconds=seconds)

        for _ in range(8):
            if receiver.of(customer.id):
                break
            control(sandbox, "advance", seconds=3600)
        wait_until(lambda: receiver.of(customer.id))

    assert receiver.refused == 5


def test_deliveries__listed_with_their_attempts(api, world, sandbox):
    with receiving(api, ["customer.created"]) as receiver:
        customer = world.customer(card=None)
        wait_until(lambda: receiver.of(customer.id))
        event = world.events(customer.id, "customer.*")[0].id

        found = wait_until(
            lambda: [
                row
                for row in requests.get(f"{sandbox.url}/_sandbox/deliveries", timeout=30).json()
                if row["event"] == event and row["delivered"]
            ]
        )

    assert found[0]["log"][-1]["outcome"] == 200


def test_event__sent_again_on_demand(api, world, sandbox):
    with receiving(api, ["customer.created"]) as receiver:
        customer = world.customer(card=None)
        first = wait_until(lambda: receiver.of(customer.id))[0]

        control(sandbox, "redeliver", event=first["id"])

        again = wait_until(lambda: len(receiver.of(customer.id)) > 1 and receiver.of(customer.id))
    assert again[1] == {**first, "pending_webhooks": again[1]["pending_webhooks"]}


def test_event__demanded_again_while_it_is_being_delivered__arrives_twice(api, world, sandbox):
    with receiving(api, ["customer.created"]) as receiver:
        receiver.may_answer.clear()
        customer = world.customer(card=None)
        first = wait_until(lambda: receiver.of(customer.id))[0]

        control(sandbox, "redeliver", event=first["id"])
        receiver.may_answer.set()

        wait_until(lambda: api.events.retrieve(first["id"]).pending_webhooks == 0)

    assert [event["id"] for event in receiver.of(customer.id)] == [first["id"]] * 2


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.sampled_from(["drop", "duplicate", "reorder", "delay"]), min_size=1, max_size=3),
    failures=st.integers(0, 2),
)
def test_faults__whatever_they_are__each_event_arrives_and_keeps_its_id(own, faults, failures):
    api = client_of(own).v1
    with receiving(api, ["customer.created"]) as receiver:
        receiver.fail_next = failures
        expected = set()
        for fault in faults:
            control(own, "webhooks", fault=fault, count=1, seconds=1, types=["customer.created"])
            customer = api.customers.create({"name": uuid.uuid4().hex})
            expected.add(customer.id)

        wait_until(lambda: _arrived(own, receiver, expected), 30)

        by_customer: dict[str, set[str]] = {}
        for event in receiver.events:
            by_customer.setdefault(event["data"]["object"]["id"], set()).add(event["id"])
    control(own, "webhooks", fault="drop", count=0)
    assert all(len(ids) == 1 for ids in by_customer.values())


def _arrived(own, receiver, expected) -> bool:
    """Whether all have come; if not, time moves on to the next attempts."""
    arrived = expected <= {event["data"]["object"]["id"] for event in list(receiver.events)}
    if not arrived:
        control(own, "advance", seconds=30)
        time.sleep(0.1)
    return arrived
