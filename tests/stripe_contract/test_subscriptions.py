"""The life of a subscription: first payment, renewal, failure, recovery, end."""

from __future__ import annotations

import pytest
import stripe

from tests.stripe_contract.world import DAY, at


def test_subscription__created_with_card__active_and_paid(api, world):
    customer = world.customer()

    subscription = world.subscribe(customer, world.price(2000), quantity=3, metadata={"tenant": "acme"})

    assert subscription.status == "active"
    invoice = api.invoices.retrieve(subscription.latest_invoice)
    assert (invoice.status, invoice.total, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        6000,
        6000,
        "subscription_create",
    )
    assert subscription.metadata["tenant"] == "acme"


def test_subscription__default_incomplete__active_when_intent_is_confirmed(api, world):
    customer = world.customer(card=None)
    subscription = world.subscribe(
        customer,
        world.price(),
        payment_behavior="default_incomplete",
        expand=["latest_invoice.payments.data.payment.payment_intent", "latest_invoice.confirmation_secret"],
    )
    assert subscription.status == "incomplete"
    intent = subscription.latest_invoice.payments.data[0].payment.payment_intent
    assert subscription.latest_invoice.confirmation_secret.client_secret == intent.client_secret

    api.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    assert api.subscriptions.retrieve(subscription.id).status == "active"


def test_subscription__renewals_from_the_31st__keep_month_ends(api, world):
    clock = world.clock("2027-01-31 10:00:00")
    subscription = world.subscribe(world.customer(clock=clock), world.price())

    ends = []
    for moment in ("2027-03-01", "2027-04-01", "2027-05-01"):
        world.advance(clock, moment)
        ends.append(api.subscriptions.retrieve(subscription.id)["items"].data[0].current_period_end)

    assert ends == [at("2027-03-31 10:00:00"), at("2027-04-30 10:00:00"), at("2027-05-31 10:00:00")]
    assert [invoice.status for invoice in world.invoices(subscription)] == ["paid"] * 4


def test_subscription__upgrade_in_mid_period__preview_equals_charge(api, world):
    clock = world.clock("2027-04-01 00:00:00")
    customer = world.customer(clock=clock)
    small, large = world.price(3000), world.price(9000)
    subscription = world.subscribe(customer, small)
    world.advance(clock, "2027-04-16 00:00:00")
    item = {"id": subscription["items"].data[0].id, "price": large.id}
    details = {"items": [item], "proration_behavior": "always_invoice", "proration_date": at("2027-04-16 00:00:00")}

    preview = api.invoices.create_preview(
        {"customer": customer.id, "subscription": subscription.id, "subscription_details": details}
    )
    changed = api.subscriptions.update(
        subscription.id,
        {"items": [item], "proration_behavior": "always_invoice", "proration_date": at("2027-04-16 00:00:00")},
    )

    invoice = api.invoices.retrieve(changed.latest_invoice)
    assert [line.amount for line in preview.lines.data] == [line.amount for line in invoice.lines.data] == [-1500, 4500]
    assert preview.amount_due == invoice.amount_paid == 3000


def test_subscription__card_fails_at_renewal__retried_then_canceled(api, world):
    clock = world.clock("2027-01-01 00:00:00")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    world.let_fail(customer)

    world.advance(clock, "2027-02-01 02:00:00")

    assert api.subscriptions.retrieve(subscription.id).status == "past_due"
    invoice = world.invoices(subscription)[-1]
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    assert invoice.next_payment_attempt > at("2027-02-01")
    assert api.customers.retrieve(customer.id).delinquent is True

    world.advance(clock, at("2027-02-01") + 40 * DAY)

    assert api.subscriptions.retrieve(subscription.id).status == "canceled"


def test_subscription__paid_by_hand_while_past_due__retries_stay_as_they_are(api, world):
    clock = world.clock("2027-01-01 00:00:00")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    world.let_fail(customer)
    world.advance(clock, "2027-02-01 02:00:00")
    before = world.invoices(subscription)[-1]

    for _ in range(4):
        with pytest.raises(stripe.CardError):
            api.invoices.pay(before.id)

    after = api.invoices.retrieve(before.id)
    assert (after.attempt_count, after.next_payment_attempt) == (1, before.next_payment_attempt)
    assert api.subscriptions.retrieve(subscription.id).status == "past_due"


def test_subscription__card_mended_while_past_due__retry_recovers(api, world):
    clock = world.clock("2027-01-01 00:00:00")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    world.let_fail(customer)
    world.advance(clock, "2027-02-01 02:00:00")
    good = api.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    api.customers.update(customer.id, {"invoice_settings": {"default_payment_method": good.id}})

    world.advance(clock, "2027-02-12 00:00:00")

    assert api.subscriptions.retrieve(subscription.id).status == "active"
    assert [invoice.status for invoice in world.invoices(subscription)] == ["paid", "paid"]


def test_subscription__card_declined_with_error_if_incomplete__leaves_nothing(api, world):
    customer = world.customer(card="pm_card_chargeCustomerFail")

    with pytest.raises(stripe.CardError) as refused:
        world.subscribe(customer, world.price(), payment_behavior="error_if_incomplete")

    assert refused.value.http_status == 402
    assert refused.value.code == "card_declined"
    assert not api.subscriptions.list({"customer": customer.id, "status": "all"}).data


def test_card__runs_out_between_renewals__declined_as_expired(api, world):
    clock = world.clock("2027-01-01 00:00:00")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    method = api.customers.payment_methods.list(customer.id).data[0]
    api.payment_methods.update(method.id, {"card": {"exp_month": 1, "exp_year": 2027}})

    world.advance(clock, "2027-02-01 02:00:00")

    invoice = api.invoices.retrieve(
        world.invoices(subscription)[-1].id, {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert invoice.payments.data[0].payment.payment_intent.last_payment_error.code == "expired_card"


def test_change__of_nothing__is_no_event(api, world):
    subscription = world.subscribe(world.customer(), world.price(), description="Same")
    before = len(world.events(subscription.id, "customer.subscription.*"))

    api.subscriptions.update(subscription.id, {"description": "Same"})

    assert len(world.events(subscription.id, "customer.subscription.*")) == before


def test_renewal__fails__events_tell_it_in_order(api, world):
    clock = world.clock("2027-01-01 00:00:00")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    world.let_fail(customer)

    world.advance(clock, "2027-02-01 02:00:00")

    invoice = world.events(world.invoices(subscription)[-1].id, "invoice.*")
    assert [event.type for event in invoice] == [
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.payment_failed",
    ]
    assert invoice[2].data.previous_attributes["attempted"] is False
    told = world.events(subscription.id, "customer.subscription.*")
    assert [event.data.object.status for event in told] == ["incomplete", "active", "active", "past_due"]
