"""Metered usage: events, summaries, and the invoices they lead to."""

from __future__ import annotations

import time
import uuid

import pytest
import stripe

from tests.stripe_contract.world import at


@pytest.fixture
def meter(api):
    return api.billing.meters.create(
        {
            "display_name": "API calls",
            "event_name": f"calls_{uuid.uuid4().hex[:10]}",
            "default_aggregation": {"formula": "sum"},
        }
    )


def send(api, meter, customer, value, **fields):
    return api.billing.meter_events.create(
        {"event_name": meter.event_name, "payload": {"stripe_customer_id": customer.id, "value": str(value)}, **fields}
    )


def metered_price(world, meter, **fields):
    return world.price(recurring={"usage_type": "metered", "meter": meter.id}, **fields)


def test_usage__of_the_period__billed_at_its_end(api, world, meter):
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, metered_price(world, meter, unit_amount_decimal="0.5"))
    world.advance(clock, "2027-01-20")
    for value in (100, 200, 301):
        send(api, meter, customer, value, timestamp=at("2027-01-19"))

    world.advance(clock, "2027-02-01 02:00:00")

    invoice = world.invoices(subscription)[-1]
    assert (invoice.total, invoice.lines.data[0].quantity) == (301, 601)
    assert (invoice.lines.data[0].period.start, invoice.lines.data[0].period.end) == (
        at("2027-01-01"),
        at("2027-02-01"),
    )


def test_usage__late_but_within_the_hour_of_grace__counted(api, world, meter):
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, metered_price(world, meter, amount=10))
    world.advance(clock, "2027-02-01 00:30:00")

    send(api, meter, customer, 5, timestamp=at("2027-01-31 23:59:59"))
    send(api, meter, customer, 7, timestamp=at("2027-02-01 00:00:00"))
    world.advance(clock, "2027-02-01 02:00:00")

    assert world.invoices(subscription)[-1].total == 50


def test_usage__in_tiers__priced_by_tier(api, world, meter):
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    tiers = [{"up_to": 100, "unit_amount": 0}, {"up_to": "inf", "unit_amount": 2}]
    subscription = world.subscribe(
        customer, metered_price(world, meter, billing_scheme="tiered", tiers_mode="graduated", tiers=tiers)
    )
    world.advance(clock, "2027-01-10")
    send(api, meter, customer, 150)

    world.advance(clock, "2027-02-01 02:00:00")

    assert world.invoices(subscription)[-1].total == 100


def test_meter_event__same_identifier__counted_once(api, world, meter):
    customer = world.customer()
    send(api, meter, customer, 3, identifier="once")

    with pytest.raises(stripe.InvalidRequestError):
        send(api, meter, customer, 3, identifier="once")

    start = int(time.time()) // 60 * 60 - 600
    found = api.billing.meters.event_summaries.list(
        meter.id, {"customer": customer.id, "start_time": start, "end_time": start + 1200}
    )
    assert [summary.aggregated_value for summary in found.data] == [3]


def test_meter_event__taken_back__not_counted(api, world, meter):
    customer = world.customer()
    send(api, meter, customer, 3, identifier="wrong")

    api.billing.meter_event_adjustments.create(
        {"event_name": meter.event_name, "type": "cancel", "cancel": {"identifier": "wrong"}}
    )

    start = int(time.time()) // 60 * 60 - 600
    found = api.billing.meters.event_summaries.list(
        meter.id, {"customer": customer.id, "start_time": start, "end_time": start + 1200}
    )
    assert [summary.aggregated_value for summary in found.data] == [0]


@pytest.mark.parametrize("offset", [-36 * 86_400, 3600])
def test_meter_event__too_old_or_in_the_future__refused(api, world, meter, offset):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        send(api, meter, world.customer(), 1, timestamp=int(time.time()) + offset)

    assert refused.value.code in ("timestamp_too_far_in_past", "timestamp_in_future")


def test_meter__deactivated__takes_no_events(api, world, meter):
    assert api.billing.meters.deactivate(meter.id).status == "inactive"

    with pytest.raises(stripe.InvalidRequestError):
        send(api, meter, world.customer(), 1)

    assert api.billing.meters.reactivate(meter.id).status == "active"
