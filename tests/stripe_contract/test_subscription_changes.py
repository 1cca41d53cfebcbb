"""Trials, anchors, prorations, pauses, cancellations, schedules."""

from __future__ import annotations

import pytest
import stripe

from tests.stripe_contract.world import DAY, at


def item_of(subscription):
    return subscription["items"].data[0]


@pytest.mark.parametrize(
    ("wish", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")]
)
def test_trial__ends_without_card__as_wished(api, world, wish, status):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(
        world.customer(card=None, clock=clock),
        world.price(),
        trial_period_days=14,
        trial_settings={"end_behavior": {"missing_payment_method": wish}},
    )
    assert (subscription.status, subscription.trial_end) == ("trialing", at("2027-01-15"))
    assert subscription.pending_setup_intent

    world.advance(clock, "2027-01-15 02:00:00")

    assert api.subscriptions.retrieve(subscription.id).status == status


def test_trial__ends_with_card__charged_and_told_before(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(2000), trial_period_days=14)

    world.advance(clock, "2027-01-15 02:00:00")

    assert api.subscriptions.retrieve(subscription.id).status == "active"
    assert [(invoice.total, invoice.status) for invoice in world.invoices(subscription)] == [
        (0, "paid"),
        (2000, "paid"),
    ]
    kinds = [event.type for event in world.events(subscription.id, "customer.subscription.*")]
    assert kinds.index("customer.subscription.trial_will_end") < kinds.index("customer.subscription.updated")


def test_trial__ended_now__charged_at_once(api, world):
    subscription = world.subscribe(world.customer(), world.price(2000), trial_period_days=14)

    ended = api.subscriptions.update(subscription.id, {"trial_end": "now", "expand": ["latest_invoice"]})

    assert (ended.status, ended.latest_invoice.amount_paid) == ("active", 2000)


def test_paused_for_want_of_a_card__resumed__charged(api, world):
    clock = world.clock("2027-01-01")
    customer = world.customer(card=None, clock=clock)
    subscription = world.subscribe(
        customer,
        world.price(2000),
        trial_period_days=7,
        trial_settings={"end_behavior": {"missing_payment_method": "pause"}},
    )
    world.advance(clock, "2027-01-10")
    method = api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    api.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})

    resumed = api.subscriptions.resume(subscription.id, {"billing_cycle_anchor": "now"})

    assert resumed.status == "active"
    assert world.invoices(subscription)[-1].amount_paid == 2000


def test_anchor__in_the_future__first_period_in_part(api, world):
    clock = world.clock("2027-04-16")
    subscription = world.subscribe(
        world.customer(clock=clock), world.price(3000), billing_cycle_anchor=at("2027-05-01"), expand=["latest_invoice"]
    )

    assert subscription.latest_invoice.total == 1500
    assert item_of(subscription).current_period_end == at("2027-05-01")
    world.advance(clock, "2027-05-01 02:00:00")
    assert world.invoices(subscription)[-1].total == 3000


def test_quantity__changed_without_proration__next_invoice_only(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(1000), quantity=1)
    world.advance(clock, "2027-04-16")

    api.subscriptions.update(
        subscription.id, {"items": [{"id": item_of(subscription).id, "quantity": 5}], "proration_behavior": "none"}
    )
    world.advance(clock, "2027-05-01 02:00:00")

    assert [invoice.total for invoice in world.invoices(subscription)] == [1000, 5000]


def test_quantity__changed_with_prorations__on_the_next_invoice(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(1000), quantity=1)
    world.advance(clock, "2027-04-16")

    api.subscriptions.update(subscription.id, {"items": [{"id": item_of(subscription).id, "quantity": 5}]})
    pending = api.invoice_items.list({"customer": subscription.customer, "pending": True}).data
    world.advance(clock, "2027-05-01 02:00:00")

    assert sorted(item.amount for item in pending) == [-500, 2500]
    assert world.invoices(subscription)[-1].total == 5000 + 2000


def test_interval__changed__new_period_begins_at_once(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(3000))
    yearly = world.price(30_000, interval="year")
    world.advance(clock, "2027-04-16")

    changed = api.subscriptions.update(
        subscription.id, {"items": [{"id": item_of(subscription).id, "price": yearly.id}], "expand": ["latest_invoice"]}
    )

    assert item_of(changed).current_period_end == at("2028-04-16")
    assert changed.latest_invoice.total == 30_000 - 1500
    assert changed.billing_cycle_anchor == at("2027-04-16")


def test_downgrade__invoiced_at_once__becomes_credit(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(9000))
    small = world.price(3000)
    world.advance(clock, "2027-04-16")

    api.subscriptions.update(
        subscription.id,
        {"items": [{"id": item_of(subscription).id, "price": small.id}], "proration_behavior": "always_invoice"},
    )

    assert api.customers.retrieve(subscription.customer).balance == -3000
    world.advance(clock, "2027-05-01 02:00:00")
    assert (world.invoices(subscription)[-1].amount_due, api.customers.retrieve(subscription.customer).balance) == (
        0,
        0,
    )


def test_items__added_and_removed__by_their_own_routes(api, world):
    subscription = world.subscribe(world.customer(), world.price(1000))
    extra = world.price(500)

    added = api.subscription_items.create(
        {"subscription": subscription.id, "price": extra.id, "quantity": 2, "proration_behavior": "none"}
    )
    assert api.subscription_items.retrieve(added.id).quantity == 2
    api.subscription_items.update(added.id, {"quantity": 3})
    api.subscription_items.delete(added.id, {"proration_behavior": "none"})

    assert len(api.subscription_items.list({"subscription": subscription.id}).data) == 1


@pytest.mark.parametrize(
    ("behavior", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")]
)
def test_collection__paused__invoices_as_wished(api, world, behavior, status):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price())
    api.subscriptions.update(
        subscription.id, {"pause_collection": {"behavior": behavior, "resumes_at": at("2027-02-10")}}
    )

    world.advance(clock, "2027-02-01 02:00:00")
    assert [invoice.status for invoice in world.invoices(subscription)] == ["paid", status]
    world.advance(clock, "2027-03-01 02:00:00")

    assert api.subscriptions.retrieve(subscription.id).pause_collection is None
    assert world.invoices(subscription)[-1].status == "paid"


def test_cancel__at_period_end_and_undone__goes_on(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price())
    leaving = api.subscriptions.update(
        subscription.id, {"cancel_at_period_end": True, "cancellation_details": {"feedback": "too_expensive"}}
    )
    assert (leaving.cancel_at, leaving.cancellation_details.reason) == (at("2027-02-01"), "cancellation_requested")

    api.subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    world.advance(clock, "2027-02-02")

    assert api.subscriptions.retrieve(subscription.id).status == "active"


def test_cancel__at_period_end__ends_then(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price())
    api.subscriptions.update(subscription.id, {"cancel_at_period_end": True})

    world.advance(clock, "2027-02-02")

    ended = api.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", at("2027-02-01"))
    assert len(world.invoices(subscription)) == 1


def test_cancel__now_with_proration__credit_for_the_rest(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(3000))
    world.advance(clock, "2027-04-16")

    api.subscriptions.cancel(subscription.id, {"prorate": True, "invoice_now": True})

    world.advance(clock, "2027-04-17")
    assert api.customers.retrieve(subscription.customer).balance == -1500
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.subscriptions.cancel(subscription.id)
    assert refused.value.http_status == 404


def test_incomplete__never_paid__expires(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(
        world.customer(card=None, clock=clock), world.price(), payment_behavior="default_incomplete"
    )

    world.advance(clock, at("2027-01-01") + DAY)

    assert api.subscriptions.retrieve(subscription.id).status == "incomplete_expired"
    assert world.invoices(subscription)[0].status == "void"


def test_schedule__two_phases__price_changes_between(api, world):
    clock = world.clock("2027-01-01")
    first, second = world.price(1000), world.price(2000)
    schedule = api.subscription_schedules.create(
        {
            "customer": world.customer(clock=clock).id,
            "start_date": "now",
            "end_behavior": "cancel",
            "phases": [
                {
                    "items": [{"price": first.id}],
                    "duration": {"interval": "month", "interval_count": 2},
                    "proration_behavior": "none",
                },
                {
                    "items": [{"price": second.id}],
                    "duration": {"interval": "month", "interval_count": 1},
                    "proration_behavior": "none",
                },
            ],
        }
    )
    subscription = api.subscriptions.retrieve(schedule.subscription)

    world.advance(clock, "2027-04-02")

    assert [invoice.total for invoice in world.invoices(subscription)] == [1000, 1000, 2000]
    assert api.subscription_schedules.retrieve(schedule.id).status == "completed"
    assert api.subscriptions.retrieve(subscription.id).status == "canceled"


def test_schedule__from_subscription__next_phase_is_billed_from_its_first_day(api, world):
    clock = world.clock("2027-01-31 00:00:00")
    subscription = world.subscribe(world.customer(clock=clock), world.price(1000))
    dearer = world.price(2000)
    schedule = api.subscription_schedules.create({"from_subscription": subscription.id})
    now = schedule.phases[0]
    kept = {"start_date": now.start_date, "end_date": now.end_date, "items": [{"price": now["items"][0].price}]}
    following = {"items": [{"price": dearer.id}], "duration": {"interval": "month", "interval_count": 2}}
    api.subscription_schedules.update(schedule.id, {"phases": [kept, following], "end_behavior": "cancel"})

    preview = api.invoices.create_preview({"subscription": subscription.id})
    assert [line.amount for line in preview.lines.data] == [2000]

    world.advance(clock, "2027-06-10 00:00:00")

    lines = [[line.amount for line in invoice.lines.data] for invoice in world.invoices(subscription)]
    assert lines == [[1000], [2000], [2000]]
    assert api.subscriptions.retrieve(subscription.id).status == "canceled"


def test_schedule__from_subscription_and_released__subscription_stays(api, world):
    subscription = world.subscribe(world.customer(), world.price())
    schedule = api.subscription_schedules.create({"from_subscription": subscription.id})
    assert api.subscriptions.retrieve(subscription.id).schedule == schedule.id

    released = api.subscription_schedules.release(schedule.id)

    assert (released.status, released.released_subscription) == ("released", subscription.id)
    assert api.subscriptions.retrieve(subscription.id).schedule is None


def test_schedule__phase_that_cannot_be__set_aside_and_the_clock_goes_on(api, world, sandbox_only):
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    monthly, daily = world.price(1000), world.price(100, interval="day")
    impossible = [{"price": monthly.id}, {"price": daily.id}]
    schedule = api.subscription_schedules.create(
        {
            "customer": customer.id,
            "start_date": at("2027-01-10"),
            "phases": [{"items": impossible, "duration": {"interval": "month", "interval_count": 1}}],
        }
    )
    subscription = world.subscribe(customer, monthly)

    world.advance(clock, "2027-02-02")

    assert api.subscription_schedules.retrieve(schedule.id).status == "not_started"
    assert len(world.invoices(subscription)) == 2
