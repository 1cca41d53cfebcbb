"""Prorations, to the second: credit for unused time, a charge for the time that is left."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.money import period_amount, rounded
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lines
from apps.stripe_sandbox.objects import coupons
from apps.stripe_sandbox.subscriptions import items


def amount_until_end(session: Session, subscription: Doc, item: Doc, moment: int) -> int:
    """What an item costs from a moment to the end of its period, discounts in percent taken off."""
    start, end = items.full_period_start(subscription, item), item["current_period_end"]
    part = Fraction(max(0, end - moment), end - start)
    held = coupons.active(session, [*subscription["discounts"], *item["discounts"]], moment)
    share = coupons.remaining_share(session, held, item["price"]["product"])
    return rounded(period_amount(item["price"], items.quantity_of(item)) * share * part)


def credit(session: Session, subscription: Doc, item: Doc, moment: int) -> None:
    """Take back what was charged for time that will not be used."""
    _add(session, subscription, item, -amount_until_end(session, subscription, item, moment), "Unused time on", moment)


def charge(session: Session, subscription: Doc, item: Doc, moment: int) -> None:
    """Charge the time from now to the end of the period."""
    _add(
        session, subscription, item, amount_until_end(session, subscription, item, moment), "Remaining time on", moment
    )


def _add(session: Session, subscription: Doc, item: Doc, amount: int, what: str, moment: int) -> None:
    if items.is_metered(item) or amount == 0:
        return
    price, quantity = item["price"], items.quantity_of(item)
    day = datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y")
    fields: dict[str, Any] = {
        "amount": amount,
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        "date": session.now(subscription),
        "description": f"{what} {quantity} × {lines.name_of(price)} after {day}",
        "discountable": False,
        "discounts": [],
        "metadata": {},
        "net_amount": amount,
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
        },
        "period": {"start": moment, "end": item["current_period_end"]},
        "pricing": lines.pricing_of(price),
        "proration": True,
        "proration_details": {"credited_items": None, "discount_amounts": []},
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": item["tax_rates"],
        "test_clock": subscription["test_clock"],
        "_inclusive": price["tax_behavior"] == "inclusive",
    }
    made = session.add("invoiceitem", 0, id=new_id("invoiceitem"), **fields)
    emit(session, "invoiceitem.created", made)
