"""What a checkout session comes to: the purchase is rehearsed, so that the page shows what will be charged."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, complete
from apps.stripe_sandbox.invoices import items as invoice_items
from apps.stripe_sandbox.invoices import lifecycle, lines, totals
from apps.stripe_sandbox.objects import coupons, customers, taxes
from apps.stripe_sandbox.subscriptions import creation


def discounts_of(checkout: Doc) -> list[dict[str, Any]]:
    """In the shape of the parameter `discounts`."""
    return [{name: value for name, value in item.items() if value} for item in checkout["discounts"] or []]


def subscription_parameters(checkout: Doc, customer: Doc) -> dict[str, Any]:
    """What the subscription is made of when the customer agrees."""
    lines = checkout["_lines"]
    recurring = [_line(line) for line in lines if line["recurring"]]
    extra = [_line(line) for line in lines if not line["recurring"]]
    taxed = checkout["automatic_tax"]["enabled"] and taxes.location(customer) is not None
    return {
        "customer": customer["id"],
        "currency": checkout["currency"],
        "items": recurring,
        **({"add_invoice_items": extra} if extra else {}),
        "discounts": discounts_of(checkout),
        "automatic_tax": {"enabled": taxed},
        "payment_behavior": "default_incomplete",
        **checkout["_data"],
    }


def _line(line: Doc) -> dict[str, Any]:
    quantity = {} if line["quantity"] is None else {"quantity": line["quantity"]}
    return {"price": line["price"], "tax_rates": line["tax_rates"], **quantity}


def payment_invoice(session: Session, checkout: Doc, customer: Doc) -> Doc:
    """The sums of a payment, worked out as an invoice would."""
    invoice = lifecycle.draft(session, customer, "manual", checkout["currency"])
    invoice["automatic_tax"]["enabled"] = checkout["automatic_tax"]["enabled"]
    invoice["discounts"] = coupons.redeem_all(session, discounts_of(checkout), customer, checkout["currency"])
    for line in checkout["_lines"]:
        parameters = {
            "pricing": {"price": line["price"]},
            "currency": checkout["currency"],
            "quantity": line["quantity"],
            "tax_rates": line["tax_rates"],
        }
        item = invoice_items.add(session, customer, parameters)
        invoice["lines"]["data"].append(lines.of_invoice_item(invoice, item))
    totals.compute(session, invoice)
    return invoice


def compute(session: Session, checkout: Doc) -> tuple[dict[str, int], list[Doc]]:
    """The sums, and the line items with theirs."""
    with session.rehearsal():
        customer = session.get(checkout["customer"]) or customers.add(session, {"email": "quote@sandbox.example"})
        if checkout["mode"] == "payment":
            invoice = payment_invoice(session, checkout, customer)
        else:
            parameters = subscription_parameters(checkout, customer)
            subscription = creation.create(session, parameters)
            invoice = session.need("invoice", subscription["latest_invoice"])
        rows = _by_price(invoice)
        items = [_item(session, checkout, line, rows.get(line["price"])) for line in checkout["_lines"]]
        discount = sum(item["amount"] for item in invoice["total_discount_amounts"])
        tax = sum(item["amount"] for item in invoice["total_taxes"])
        return {"subtotal": invoice["subtotal"], "total": invoice["total"], "discount": discount, "tax": tax}, items


def _by_price(invoice: Doc) -> dict[str, Doc]:
    return {row["pricing"]["price_details"]["price"]: row for row in invoice["lines"]["data"] if row["pricing"]}


def _item(session: Session, checkout: Doc, line: Doc, row: Doc | None) -> Doc:
    price = session.need("price", line["price"])
    product = session.get(price["product"])
    amount = row["amount"] if row else 0
    discount = sum(item["amount"] for item in row["discount_amounts"]) if row else 0
    tax = sum(item["amount"] for item in row["taxes"] if item["tax_behavior"] == "exclusive") if row else 0
    return complete(
        {
            "id": line["id"],
            "object": "item",
            "amount_discount": discount,
            "amount_subtotal": amount,
            "amount_tax": tax,
            "amount_total": amount - discount + tax,
            "currency": checkout["currency"],
            "description": product and product["name"],
            "price": price,
            "quantity": line["quantity"],
        }
    )
