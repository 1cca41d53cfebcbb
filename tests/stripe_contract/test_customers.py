"""Customers, their cards, balance and tax ids."""

from __future__ import annotations

import pytest
import stripe


def test_customer__updated_and_deleted__leaves_a_mark(api, world):
    customer = world.customer(metadata={"tenant": "acme"})
    changed = api.customers.update(
        customer.id, {"name": "Grace", "metadata": {"plan": "pro"}, "address": {"country": "CH", "city": "Bern"}}
    )

    assert (changed.name, changed.metadata.to_dict(), changed.address.city) == (
        "Grace",
        {"tenant": "acme", "plan": "pro"},
        "Bern",
    )
    api.customers.delete(customer.id)
    assert api.customers.retrieve(customer.id).deleted


def test_customer__deleted__subscriptions_are_canceled(api, world):
    customer = world.customer()
    subscription = world.subscribe(customer, world.price())

    api.customers.delete(customer.id)

    assert api.subscriptions.retrieve(subscription.id).status == "canceled"


def test_balance__credit__pays_the_next_invoice_first(api, world):
    customer = world.customer()
    api.customers.balance_transactions.create(customer.id, {"amount": -1500, "currency": "usd", "description": "Sorry"})

    invoice = world.subscribe(customer, world.price(2000), expand=["latest_invoice"]).latest_invoice

    assert (invoice.total, invoice.starting_balance, invoice.amount_due, invoice.amount_paid) == (2000, -1500, 500, 500)
    kinds = [(row.type, row.amount) for row in api.customers.balance_transactions.list(customer.id).data]
    assert kinds == [("applied_to_invoice", 1500), ("adjustment", -1500)]
    assert api.customers.retrieve(customer.id).balance == 0


def test_tax_ids__added_and_removed(api, world):
    customer = world.customer(tax_id_data=[{"type": "eu_vat", "value": "DE123456789"}], expand=["tax_ids"])
    assert [tax_id.value for tax_id in customer.tax_ids.data] == ["DE123456789"]

    api.customers.tax_ids.delete(customer.id, customer.tax_ids.data[0].id)

    assert not api.customers.tax_ids.list(customer.id).data
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "nonsense"})
    assert refused.value.code == "tax_id_invalid"


def test_card__declined_at_once__cannot_be_attached(api, world):
    customer = world.customer(card=None)

    with pytest.raises(stripe.CardError) as refused:
        api.payment_methods.attach("pm_card_chargeDeclinedInsufficientFunds", {"customer": customer.id})

    assert (refused.value.code, refused.value.json_body["error"]["decline_code"]) == (
        "card_declined",
        "insufficient_funds",
    )


def test_card__detached__no_longer_the_default(api, world):
    customer = world.customer()
    method = api.customers.payment_methods.list(customer.id).data[0]
    assert (method.card.brand, method.card.last4) == ("visa", "4242")

    api.payment_methods.detach(method.id)

    assert api.customers.retrieve(customer.id).invoice_settings.default_payment_method is None
    assert not api.payment_methods.list({"customer": customer.id, "type": "card"}).data


def test_card__detached__cannot_be_attached_again(api, world):
    customer = world.customer(card=None).id
    card = api.payment_methods.attach("pm_card_visa", {"customer": customer})
    api.payment_methods.detach(card.id)

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        api.payment_methods.attach(card.id, {"customer": customer})


def test_setup_intent__confirmed__saves_the_card(api, world):
    customer = world.customer(card=None)
    intent = api.setup_intents.create({"customer": customer.id, "payment_method_types": ["card"]})
    assert intent.status == "requires_payment_method"

    confirmed = api.setup_intents.confirm(intent.id, {"payment_method": "pm_card_mastercard"})

    assert confirmed.status == "succeeded"
    assert [method.id for method in api.customers.payment_methods.list(customer.id).data] == [confirmed.payment_method]


def test_setup_intent__needs_authentication__waits_for_the_customer(api, world):
    intent = api.setup_intents.create(
        {
            "customer": world.customer(card=None).id,
            "payment_method_types": ["card"],
            "confirm": True,
            "payment_method": "pm_card_threeDSecure2Required",
            "return_url": "https://example.com/back",
        }
    )

    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")


def test_setup_intent__canceled__cannot_be_confirmed(api):
    intent = api.setup_intents.create({"payment_method_types": ["card"]})
    api.setup_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    assert refused.value.code == "setup_intent_unexpected_state"
