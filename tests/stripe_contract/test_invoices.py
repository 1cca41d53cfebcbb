"""Invoices by hand, previews, credit notes, collection by mail."""

from __future__ import annotations

import pytest
import stripe

from tests.stripe_contract.world import DAY, at


def open_invoice(api, customer, amount=4000, **fields):
    invoice = api.invoices.create({"customer": customer.id, **fields})
    api.invoice_items.create(
        {
            "customer": customer.id,
            "invoice": invoice.id,
            "amount": amount,
            "currency": "usd",
            "description": "Consulting",
        }
    )
    return api.invoices.finalize_invoice(invoice.id)


def test_invoice__drafted_finalized_paid__has_number_page_and_pdf(api, world):
    invoice = open_invoice(api, world.customer())
    assert (invoice.status, invoice.amount_due) == ("open", 4000)
    assert invoice.number
    assert invoice.hosted_invoice_url.startswith("http")
    assert invoice.invoice_pdf.startswith("http")

    paid = api.invoices.pay(invoice.id)

    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 4000, 0)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.invoices.pay(invoice.id)
    assert refused.value.code == "invoice_already_paid"


def test_invoice__numbers_of_one_customer__follow_each_other(api, world):
    customer = world.customer()

    numbers = [open_invoice(api, customer).number for _ in range(3)]

    assert [number.rsplit("-", 1)[1] for number in numbers] == ["0001", "0002", "0003"]


def test_invoice__finalized__cannot_be_edited(api, world):
    invoice = open_invoice(api, world.customer())

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.invoice_items.create({"customer": invoice.customer, "invoice": invoice.id, "amount": 1, "currency": "usd"})

    assert refused.value.code == "invoice_not_editable"


def test_invoice__voided__its_intent_is_canceled(api, world):
    invoice = open_invoice(api, world.customer())

    assert api.invoices.void_invoice(invoice.id).status == "void"

    payment = api.invoice_payments.list({"invoice": invoice.id, "expand": ["data.payment.payment_intent"]}).data[0]
    assert (payment.status, payment.payment.payment_intent.status) == ("canceled", "canceled")


def test_invoice__uncollectible__can_still_be_paid(api, world):
    invoice = open_invoice(api, world.customer())
    api.invoices.mark_uncollectible(invoice.id)

    assert api.invoices.pay(invoice.id).status == "paid"


def test_invoice__paid_out_of_band__without_a_charge(api, world):
    invoice = open_invoice(api, world.customer(card=None))

    paid = api.invoices.pay(invoice.id, {"paid_out_of_band": True})

    assert paid.status == "paid"
    assert not api.charges.list({"customer": paid.customer}).data


def test_invoice__draft_deleted__is_gone(api, world):
    invoice = api.invoices.create({"customer": world.customer().id})

    assert api.invoices.delete(invoice.id).deleted

    with pytest.raises(stripe.InvalidRequestError):
        api.invoices.retrieve(invoice.id)


def test_invoice__of_prices_and_lines__adds_up(api, world):
    customer = world.customer()
    product = api.products.create({"name": "Hours"})
    price = api.prices.create({"currency": "usd", "unit_amount_decimal": "33.3333", "product": product.id})
    invoice = api.invoices.create({"customer": customer.id})
    api.invoice_items.create(
        {"customer": customer.id, "invoice": invoice.id, "pricing": {"price": price.id}, "quantity": 3}
    )
    api.invoices.add_lines(invoice.id, {"lines": [{"amount": 500, "description": "Fee"}]})

    lines = api.invoices.line_items.list(invoice.id).data

    assert [line.amount for line in lines] == [100, 500]
    assert api.invoices.retrieve(invoice.id).total == 600


def test_invoice__collected_by_mail__due_later_and_overdue(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(
        world.customer(card=None, clock=clock), world.price(2000), collection_method="send_invoice", days_until_due=10
    )
    assert subscription.status == "active"

    world.advance(clock, "2027-01-01 02:00:00")
    invoice = world.invoices(subscription)[0]
    assert (invoice.status, invoice.due_date) == ("open", at("2027-01-01 01:00:00") + 10 * DAY)
    world.advance(clock, "2027-01-13")

    assert api.subscriptions.retrieve(subscription.id).status == "past_due"
    api.invoices.pay(invoice.id, {"paid_out_of_band": True})
    assert api.subscriptions.retrieve(subscription.id).status == "active"


def test_preview__of_a_subscription_that_might_be__creates_nothing(api, world):
    customer, price = world.customer(), world.price(2000)

    preview = api.invoices.create_preview(
        {"customer": customer.id, "subscription_details": {"items": [{"price": price.id, "quantity": 3}]}}
    )

    assert preview.total == 6000
    assert not api.subscriptions.list({"customer": customer.id, "status": "all"}).data


def test_preview__next_invoice__what_the_renewal_will_be(api, world):
    clock = world.clock("2027-01-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(2000))
    api.invoice_items.create(
        {"customer": subscription.customer, "amount": 700, "currency": "usd", "subscription": subscription.id}
    )

    preview = api.invoices.create_preview({"subscription": subscription.id})
    world.advance(clock, "2027-02-01 02:00:00")

    assert preview.total == world.invoices(subscription)[-1].total == 2700
    assert preview.status == "draft"


def test_preview__cancel_now__shows_the_credit(api, world):
    clock = world.clock("2027-04-01")
    subscription = world.subscribe(world.customer(clock=clock), world.price(3000))
    world.advance(clock, "2027-04-16")

    preview = api.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": {"cancel_now": True}}
    )

    assert preview.total == -1500
    assert api.subscriptions.retrieve(subscription.id).status == "active"


def test_preview__canceled_subscription__there_is_none(api, world):
    subscription = world.subscribe(world.customer(), world.price())
    api.subscriptions.cancel(subscription.id)

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.invoices.create_preview({"subscription": subscription.id})

    assert refused.value.code == "invoice_upcoming_none"


def test_credit_note__on_open_invoice__less_is_due(api, world):
    invoice = open_invoice(api, world.customer())

    note = api.credit_notes.create({"invoice": invoice.id, "amount": 1000, "reason": "order_change"})

    assert (note.type, note.total) == ("pre_payment", 1000)
    assert api.invoices.retrieve(invoice.id).amount_remaining == 3000
    assert api.invoices.pay(invoice.id).amount_paid == 3000


def test_credit_note__on_paid_invoice__refund_and_credit(api, world):
    invoice = open_invoice(api, world.customer())
    api.invoices.pay(invoice.id)
    line = api.invoices.retrieve(invoice.id).lines.data[0]

    note = api.credit_notes.create(
        {
            "invoice": invoice.id,
            "refund_amount": 1500,
            "credit_amount": 500,
            "lines": [{"type": "invoice_line_item", "invoice_line_item": line.id, "amount": 2000}],
        }
    )

    assert (note.type, note.refunds[0].amount_refunded) == ("post_payment", 1500)
    assert api.customers.retrieve(invoice.customer).balance == -500
    assert api.invoices.retrieve(invoice.id).post_payment_credit_notes_amount == 2000


def test_credit_note__more_than_the_invoice__refused(api, world):
    invoice = open_invoice(api, world.customer())

    with pytest.raises(stripe.InvalidRequestError):
        api.credit_notes.create({"invoice": invoice.id, "amount": 4001})

    assert api.credit_notes.preview({"invoice": invoice.id, "amount": 4000}).total == 4000
    assert not api.credit_notes.list({"invoice": invoice.id}).data
