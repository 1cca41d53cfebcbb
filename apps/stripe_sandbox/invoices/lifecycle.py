"""An invoice's life: draft, open, and then paid, void or uncollectible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.invoices import lines, totals
from apps.stripe_sandbox.objects import coupons, customers, payment_intents

HOUR = 3600
BEFORE_FINALIZING: list[Callable[[Session, Doc], None]] = []
SUBSCRIPTION_LISTENERS: dict[str, Any] = {}
"""`paid`, `failed`, `voided`: how the subscription behind an invoice hears of it."""


def draft(
    session: Session, customer: Doc, reason: str, currency: str, subscription: Doc | None = None, **fields: Any
) -> Doc:
    """A new draft, without lines, not yet told of by an event."""
    now = session.now(customer)
    defaults: Doc = {
        "account_country": "US",
        "account_name": "Sandbox",
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "enabled": False,
            "liability": None,
            "status": None,
            "disabled_reason": None,
            "provider": None,
        },
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": _tax_ids(session, customer),
        "default_tax_rates": [],
        "discounts": [],
        "footer": customer["invoice_settings"]["footer"],
        "custom_fields": customer["invoice_settings"]["custom_fields"],
        "issuer": {"type": "self"},
        "lines": page([], ""),
        "metadata": {},
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_start": now,
        "period_end": now,
        "starting_balance": customer["balance"],
        "status": "draft",
        "test_clock": customer["test_clock"],
        "attempt_count": 0,
        "subtotal": 0,
        "total": 0,
        "pre_payment_credit_notes_amount": 0,
        "post_payment_credit_notes_amount": 0,
    }
    if subscription:
        defaults.update(_from_subscription(session, subscription))
    invoice = session.add("invoice", now, **{**defaults, **fields})
    invoice["lines"]["url"] = f"/v1/invoices/{invoice['id']}/lines"
    return invoice


def _tax_ids(session: Session, customer: Doc) -> list[Doc]:
    return [
        {"type": tax_id["type"], "value": tax_id["value"]}
        for tax_id in session.find("tax_id", "customer = ?", customer["id"])
    ]


def _from_subscription(session: Session, subscription: Doc) -> Doc:
    discounts = coupons.active(session, subscription["discounts"], session.now(subscription))
    return {
        "_subscription": subscription["id"],
        "automatic_tax": {**subscription["automatic_tax"], "status": None, "provider": None},
        "collection_method": subscription["collection_method"],
        "default_tax_rates": subscription["default_tax_rates"] or [],
        "description": subscription["invoice_settings"]["description"],
        "discounts": discounts,
        "parent": {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
                "subscription_proration_date": None,
            },
        },
        "_days_until_due": subscription["days_until_due"],
    }


def add_pending_items(session: Session, invoice: Doc) -> None:
    """Put the customer's waiting items on the invoice: its subscription's, and those of none."""
    subscription = invoice.get("_subscription")
    waiting = session.find(
        "invoiceitem",
        "customer = ? AND parent IS NULL AND body ->> '$.currency' = ?",
        invoice["customer"],
        invoice["currency"],
    )
    for item in waiting:
        details = (item["parent"] or {}).get("subscription_details")
        if details and details["subscription"] != subscription:
            continue
        item["invoice"] = invoice["id"]
        invoice["lines"]["data"].append(lines.of_invoice_item(invoice, item))


def publish(session: Session, invoice: Doc) -> None:
    """Sums, then the event that the draft exists."""
    totals.compute(session, invoice)
    emit(session, "invoice.created", invoice)


def finalize(session: Session, invoice: Doc) -> None:
    """Draft to open, or at once to paid if nothing is due."""
    if invoice["status"] != "draft":
        raise ApiError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", code="invoice_not_editable"
        )
    now = session.now(invoice)
    customer = session.need("customer", invoice["customer"])
    for prepare in BEFORE_FINALIZING:
        prepare(session, invoice)
    totals.compute(session, invoice)
    if invoice["automatic_tax"]["enabled"] and invoice["automatic_tax"]["status"] != "complete":
        raise ApiError(
            "This invoice cannot be finalized: automatic tax needs the customer's address.",
            code="customer_tax_location_invalid",
        )
    ending = totals.balance(invoice, customer["balance"])
    invoice["number"] = invoice["number"] or _number(customer)
    url = f"{session.setting('url')}/i/{invoice['id']}"
    invoice.update(
        status="open",
        ending_balance=ending,
        effective_at=invoice["effective_at"] or now,
        automatically_finalizes_at=None,
        hosted_invoice_url=url,
        invoice_pdf=f"{url}/pdf",
        webhooks_delivered_at=now,
    )
    invoice["status_transitions"]["finalized_at"] = now
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        invoice["due_date"] = now + (invoice.get("_days_until_due") or 30) * 86_400
    if ending != customer["balance"]:
        customers.change_balance(
            session,
            customer,
            ending - customer["balance"],
            "applied_to_invoice",
            invoice["currency"],
            invoice=invoice["id"],
        )
        emit(session, "customer.updated", customer)
    _use_up_discounts(session, invoice)
    if invoice["amount_due"] == 0:
        emit(session, "invoice.finalized", invoice)
        mark_paid(session, invoice)
    else:
        _await_payment(session, invoice, customer)
        emit(session, "invoice.finalized", invoice)


def _number(customer: Doc) -> str:
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
    customer["next_invoice_sequence"] += 1
    return number


def _use_up_discounts(session: Session, invoice: Doc) -> None:
    """A coupon that is good for one invoice was that."""
    subscription = session.get(invoice.get("_subscription"))
    for item in invoice["total_discount_amounts"]:
        coupon = coupons.coupon_of(session, item["discount"])
        if coupon["duration"] == "once" and subscription and item["discount"] in subscription["discounts"]:
            subscription["discounts"] = [id_ for id_ in subscription["discounts"] if id_ != item["discount"]]
            coupons.end_discount(session, item["discount"])


def _await_payment(session: Session, invoice: Doc, customer: Doc) -> None:
    """The intent that is to pay the invoice."""
    intent = payment_intents.add(
        session,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=customer,
        description=f"Payment for invoice {invoice['number']}",
        _invoice=invoice["id"],
    )
    subscription = session.get(invoice.get("_subscription"))
    if (
        subscription
        and (subscription["payment_settings"] or {}).get("save_default_payment_method") == "on_subscription"
    ):
        intent["setup_future_usage"] = "off_session"
    payment = session.add(
        "invoice_payment",
        session.now(invoice),
        amount_requested=invoice["amount_due"],
        currency=invoice["currency"],
        invoice=invoice["id"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
        _clock=invoice["test_clock"],
    )
    invoice["_payment_intent"], invoice["_invoice_payment"] = intent["id"], payment["id"]
    emit(session, "payment_intent.created", intent)


def mark_paid(session: Session, invoice: Doc, *, out_of_band: bool = False) -> None:
    """Paid, by an intent, by the balance, or outside of Stripe."""
    now = session.now(invoice)
    invoice.update(status="paid", attempted=True, next_payment_attempt=None, auto_advance=False)
    invoice["status_transitions"]["paid_at"] = now
    if not out_of_band:
        invoice["amount_paid"] = invoice["amount_due"]
    else:
        invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    invoice["amount_remaining"] = 0
    payment = session.get(invoice.get("_invoice_payment"))
    if payment and not out_of_band:
        payment.update(status="paid", amount_paid=invoice["amount_due"])
        payment["status_transitions"]["paid_at"] = now
        emit(session, "invoice_payment.paid", payment)
    elif payment:
        _cancel_payment(session, invoice, payment)
    emit(session, "invoice.updated", invoice)
    emit(session, "invoice.paid", invoice)
    emit(session, "invoice.payment_succeeded", invoice)
    _tell_subscription(session, invoice, "paid")
    _refresh_delinquency(session, invoice)


def void(session: Session, invoice: Doc) -> None:
    if invoice["status"] not in ("open", "uncollectible"):
        raise ApiError(
            f"You can only pass in open or uncollectible invoices. This invoice isn't: it is {invoice['status']}."
        )
    _give_balance_back(session, invoice)
    invoice.update(status="void", next_payment_attempt=None, auto_advance=False)
    invoice["status_transitions"]["voided_at"] = session.now(invoice)
    payment = session.get(invoice.get("_invoice_payment"))
    if payment:
        _cancel_payment(session, invoice, payment)
    emit(session, "invoice.voided", invoice)
    _tell_subscription(session, invoice, "voided")
    _refresh_delinquency(session, invoice)


def _cancel_payment(session: Session, invoice: Doc, payment: Doc) -> None:
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = session.now(invoice)
    intent = session.need("payment_intent", payment["payment"]["payment_intent"])
    if intent["status"] not in ("succeeded", "canceled"):
        payment_intents.cancel_intent(session, intent, "void_invoice" if invoice["status"] == "void" else None)


def _give_balance_back(session: Session, invoice: Doc) -> None:
    used = invoice["ending_balance"] - invoice["starting_balance"] if invoice["ending_balance"] is not None else 0
    if used:
        customer = session.need("customer", invoice["customer"])
        customers.change_balance(
            session, customer, -used, "unapplied_from_invoice", invoice["currency"], invoice=invoice["id"]
        )
        emit(session, "customer.updated", customer)


def mark_uncollectible(session: Session, invoice: Doc) -> None:
    if invoice["status"] != "open":
        raise ApiError(f"You can only mark open invoices uncollectible. This invoice is {invoice['status']}.")
    invoice.update(status="uncollectible", next_payment_attempt=None, auto_advance=False)
    invoice["status_transitions"]["marked_uncollectible_at"] = session.now(invoice)
    emit(session, "invoice.marked_uncollectible", invoice)
    _refresh_delinquency(session, invoice)


def _tell_subscription(session: Session, invoice: Doc, what: str) -> None:
    subscription = session.get(invoice.get("_subscription"))
    if subscription:
        SUBSCRIPTION_LISTENERS[what](session, subscription, invoice)


def _refresh_delinquency(session: Session, invoice: Doc) -> None:
    """A customer is delinquent while the latest charge of an open invoice has failed."""
    customer = session.get(invoice["customer"])
    if customer and customer["delinquent"]:
        still = session.find(
            "invoice",
            "customer = ? AND body ->> '$.status' = 'open' AND body ->> '$.attempted'",
            customer["id"],
            limit=1,
        )
        if not still:
            customer["delinquent"] = False
            emit(session, "customer.updated", customer)
