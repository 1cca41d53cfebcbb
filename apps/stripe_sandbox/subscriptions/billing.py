"""Invoices of subscriptions: their lines, and when they are collected."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError, CardError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.money import period_amount, rounded
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import items as invoice_items
from apps.stripe_sandbox.invoices import lifecycle, lines, payment
from apps.stripe_sandbox.objects import meters
from apps.stripe_sandbox.subscriptions import items

HOUR = 3600


def new_invoice(session: Session, subscription: Doc, reason: str, **fields: Any) -> Doc:
    """A draft for a subscription, which becomes its latest invoice."""
    customer = session.need("customer", subscription["customer"])
    first = subscription["items"]["data"][0]
    periods = {"period_start": first["current_period_start"], "period_end": first["current_period_end"]}
    invoice = lifecycle.draft(
        session, customer, reason, subscription["currency"], subscription, **{**periods, **fields}
    )
    subscription["latest_invoice"] = invoice["id"]
    if customer["currency"] is None:
        customer["currency"] = subscription["currency"]
    return invoice


def add_periods(session: Session, invoice: Doc, subscription: Doc) -> None:
    """A line for each item's current period; the first one may be a part of a period."""
    for item in subscription["items"]["data"]:
        if items.is_metered(item):
            continue
        trial = subscription["status"] == "trialing"
        quantity = items.quantity_of(item)
        period = {"start": item["current_period_start"], "end": item["current_period_end"]}
        amount = 0 if trial else _period_amount(subscription, item)
        invoice["lines"]["data"].append(
            lines.of_subscription_item(invoice, item, amount, quantity, period, trial=trial)
        )


def _period_amount(subscription: Doc, item: Doc) -> int:
    whole = period_amount(item["price"], items.quantity_of(item))
    start, end = items.full_period_start(subscription, item), item["current_period_end"]
    if item["current_period_start"] == start:
        return whole
    if subscription.get("_free_until_anchor"):
        return 0
    return rounded(whole * Fraction(end - item["current_period_start"], end - start))


def add_usage(session: Session, invoice: Doc, subscription: Doc, start: int, end: int) -> None:
    """A line for the usage of each metered item."""
    for item in subscription["items"]["data"]:
        if items.is_metered(item):
            invoice["lines"]["data"].append(_usage_line(session, invoice, subscription, item, start, end))


def _usage_line(session: Session, invoice: Doc, subscription: Doc, item: Doc, start: int, end: int) -> Doc:
    used = meters.usage(session, item["price"]["recurring"]["meter"], subscription["customer"], start, end)
    amount = period_amount(item["price"], used)
    row = lines.of_subscription_item(invoice, item, amount, int(used), {"start": start, "end": end})
    row.update(quantity_decimal=_plain(used), _metered=item["id"])
    return row


def _plain(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else format(float(value), "f").rstrip("0")


def refresh_usage(session: Session, invoice: Doc) -> None:
    """What came in late, while the invoice was a draft, is on it."""
    subscription = session.get(invoice.get("_subscription"))
    by_id = {item["id"]: item for item in subscription["items"]["data"]} if subscription else {}
    rows = invoice["lines"]["data"]
    for number, row in enumerate(rows):
        item = by_id.get(row.get("_metered"))
        if item and subscription:
            fresh = _usage_line(session, invoice, subscription, item, row["period"]["start"], row["period"]["end"])
            rows[number] = {**fresh, "id": row["id"]}


lifecycle.BEFORE_FINALIZING.append(refresh_usage)


def add_extra_items(session: Session, subscription: Doc, given: list[dict[str, Any]]) -> None:
    """One-time prices that go on the next invoice (`add_invoice_items`)."""
    customer = session.need("customer", subscription["customer"])
    for number, extra in enumerate(given):
        if "price" not in extra:
            raise ApiError(
                "Missing required param: price.", code="parameter_missing", param=f"add_invoice_items[{number}][price]"
            )
        parameters = {
            "pricing": {"price": extra["price"]},
            "currency": subscription["currency"],
            "quantity": extra.get("quantity", 1),
            "subscription": subscription["id"],
            "tax_rates": extra.get("tax_rates"),
            "metadata": extra.get("metadata"),
        }
        made = invoice_items.add(session, customer, parameters)
        emit(session, "invoiceitem.created", made)


def bill_now(session: Session, subscription: Doc, invoice: Doc, behavior: str) -> None:
    """Finalize, and collect as the payment behavior says."""
    lifecycle.publish(session, invoice)
    if subscription["collection_method"] == "send_invoice":
        invoice["automatically_finalizes_at"] = session.now(invoice) + HOUR
        return
    lifecycle.finalize(session, invoice)
    if invoice["status"] != "open" or behavior == "default_incomplete":
        return
    if behavior == "error_if_incomplete" and payment.default_method(session, invoice) is None:
        raise ApiError(payment.MISSING_CARD, code="resource_missing")
    error = payment.collect(session, invoice)
    if error and behavior == "error_if_incomplete":
        raise _without_trace(error)


def _without_trace(error: CardError) -> CardError:
    """`error_if_incomplete`: nothing of it happened."""
    error.keep = False
    for name in ("payment_intent", "charge"):
        error.body.pop(name, None)
    return error
