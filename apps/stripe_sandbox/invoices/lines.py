"""Lines of invoices."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.money import shown
from apps.stripe_sandbox.core.shapes import Doc, complete

EVERY = {
    ("day", 1): "daily",
    ("week", 1): "weekly",
    ("month", 1): "month",
    ("month", 3): "3 months",
    ("year", 1): "year",
}


def line(invoice: Doc, amount: int, description: str | None, period: Doc, **fields: Any) -> Doc:
    """A new line; `parent` and `pricing` as given."""
    return complete(
        {
            "id": new_id("line_item"),
            "object": "line_item",
            "amount": amount,
            "currency": invoice["currency"],
            "description": description,
            "discount_amounts": [],
            "discountable": True,
            "discounts": [],
            "invoice": invoice["id"],
            "metadata": {},
            "period": period,
            "pretax_credit_amounts": [],
            "subtotal": amount,
            "taxes": [],
            **fields,
        }
    )


def of_subscription_item(
    invoice: Doc, item: Doc, amount: int, quantity: int, period: Doc, *, trial: bool = False
) -> Doc:
    """What an item of a subscription costs in a period."""
    price = item["price"]
    return line(
        invoice,
        amount,
        f"Trial period for {name_of(price)}" if trial else f"{quantity} × {name_of(price)} (at {_rate(price)})",
        period,
        parent=subscription_parent(item["subscription"], item["id"]),
        pricing=pricing_of(price),
        quantity=quantity,
        quantity_decimal=str(quantity),
        subscription=item["subscription"],
        discounts=item["discounts"],
        metadata=dict(item["metadata"]),
        _tax_rates=item["tax_rates"] or [],
        _inclusive=price["tax_behavior"] == "inclusive",
    )


def of_invoice_item(invoice: Doc, item: Doc) -> Doc:
    """The line that an invoice item becomes."""
    details = (item["parent"] or {}).get("subscription_details")
    if details and details["subscription_item"]:
        parent = subscription_parent(
            details["subscription"], details["subscription_item"], proration=item["proration"], invoice_item=item["id"]
        )
    else:
        parent = {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": item["proration"],
                "proration_details": {"credited_items": None},
                "subscription": details and details["subscription"],
            },
            "subscription_item_details": None,
        }
    return line(
        invoice,
        item["amount"],
        item["description"],
        dict(item["period"]),
        discountable=item["discountable"],
        discounts=item["discounts"] or [],
        metadata=dict(item["metadata"] or {}),
        parent=parent,
        pricing=item["pricing"],
        quantity=item["quantity"],
        quantity_decimal=item["quantity_decimal"],
        subscription=details and details["subscription"],
        _tax_rates=item["tax_rates"] or [],
        _inclusive=bool(item.get("_inclusive")),
    )


def subscription_parent(
    subscription: str, item: str, *, proration: bool = False, invoice_item: str | None = None
) -> Doc:
    return {
        "type": "subscription_item_details",
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": invoice_item,
            "proration": proration,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
            "subscription_item": item,
        },
    }


def pricing_of(price: Doc) -> Doc:
    return {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def name_of(price: Doc) -> str:
    return str(price["nickname"] or price.get("_product_name") or price["product"])


def _rate(price: Doc) -> str:
    every = price["recurring"] and EVERY.get(
        (price["recurring"]["interval"], price["recurring"]["interval_count"]), price["recurring"]["interval"]
    )
    amount = "tiered price" if price["unit_amount"] is None else shown(price["unit_amount"], price["currency"])
    return f"{amount} / {every}" if every else amount
