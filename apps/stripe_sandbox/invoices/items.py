"""Invoice items: what waits for the next invoice, or is put on a draft."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.changes import apply, currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.money import rounded, unit_price
from apps.stripe_sandbox.core.routes import Call, delete, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lines, totals
from apps.stripe_sandbox.objects import coupons, prices, taxes

CHANGEABLE = (
    "amount description discountable discounts metadata period quantity pricing{price} tax_rates unit_amount_decimal "
    "tax_behavior"
)

serve_list(
    "/v1/invoiceitems",
    "invoiceitem",
    "created customer invoice",
    pending=lambda session, value: (f"parent IS {'' if value else 'NOT'} NULL", ()),
)
serve_object("/v1/invoiceitems/{invoiceitem}", "invoiceitem")


@post("/v1/invoiceitems", f"customer currency invoice subscription {CHANGEABLE}")
def create(call: Call) -> Doc:
    session = call.session
    if "customer" not in call:
        raise required("customer")
    customer = session.need("customer", call["customer"], "customer")
    invoice = _draft(session, call["invoice"]) if call.get("invoice") else None
    item = add(session, customer, call.params)
    emit(session, "invoiceitem.created", item)
    if invoice:
        if invoice["currency"] != item["currency"]:
            raise ApiError(
                f"The currency of the invoice item ({item['currency']}) is not the invoice's ({invoice['currency']}).",
                param="currency",
            )
        item["invoice"] = invoice["id"]
        invoice["lines"]["data"].append(lines.of_invoice_item(invoice, item))
        totals.compute(session, invoice)
        emit(session, "invoice.updated", invoice)
    return item


def _draft(session: Session, id_: str) -> Doc:
    invoice = session.need("invoice", id_, "invoice")
    if invoice["status"] != "draft":
        raise ApiError("This invoice is no longer editable", code="invoice_not_editable")
    return invoice


def add(session: Session, customer: Doc, given: dict[str, Any], **fields: Any) -> Doc:
    """A new item, from an amount, a unit amount or a price."""
    now = session.now(customer)
    price = (
        session.need("price", given["pricing"]["price"], "pricing[price]")
        if given.get("pricing", {}).get("price")
        else None
    )
    code = currency(given.get("currency") or (price and price["currency"]) or customer["currency"] or "usd")
    quantity = int(given.get("quantity") or 1)
    item = session.add(
        "invoiceitem",
        0,
        amount=_amount(given, price, code, quantity),
        currency=code,
        customer=customer["id"],
        date=now,
        description=given.get("description") or (price and (price["nickname"] or price["product"])),
        discountable=given.get("discountable", True),
        discounts=coupons.redeem_all(session, given.get("discounts"), customer, code),
        metadata=merged_metadata({}, given.get("metadata") or {}),
        parent=_parent(session, given.get("subscription")),
        period=given.get("period") or {"start": now, "end": now},
        pricing=lines.pricing_of(price) if price else None,
        proration=False,
        quantity=quantity,
        quantity_decimal=str(quantity),
        tax_rates=taxes.find_all(session, given.get("tax_rates"), "tax_rates"),
        test_clock=customer["test_clock"],
        **{"_inclusive": (given.get("tax_behavior") or (price or {}).get("tax_behavior")) == "inclusive", **fields},
    )
    item["net_amount"] = item["amount"]
    return item


def _amount(given: dict[str, Any], price: Doc | None, code: str, quantity: int) -> int:
    if price:
        if price["type"] != "one_time":
            raise ApiError(
                "The price specified is set to `type=recurring` but this field only accepts prices with "
                "`type=one_time`.",
                param="pricing[price]",
            )
        return rounded(unit_price(prices.in_currency(price, code, "currency"), Fraction(quantity)))
    if given.get("unit_amount_decimal") is not None:
        return rounded(Fraction(given["unit_amount_decimal"]) * quantity)
    if given.get("amount") is None:
        raise required("amount")
    if "quantity" in given:
        raise ApiError("`quantity` goes with `unit_amount_decimal` or a price, not with `amount`.", param="quantity")
    return int(given["amount"])


def _parent(session: Session, subscription: str | None) -> Doc | None:
    if subscription is None:
        return None
    session.need("subscription", subscription, "subscription")
    return {
        "type": "subscription_details",
        "subscription_details": {"subscription": subscription, "subscription_item": None},
    }


@post("/v1/invoiceitems/{invoiceitem}", "amount description discountable metadata period")
def update(call: Call, id_: str) -> Doc:
    session = call.session
    item = session.need("invoiceitem", id_)
    invoice = _draft(session, item["invoice"]) if item["invoice"] else None
    apply(item, call, "amount description discountable metadata period")
    if invoice:
        invoice["lines"]["data"] = [
            {**lines.of_invoice_item(invoice, item), "id": row["id"]} if invoice_item_of(row) == id_ else row
            for row in invoice["lines"]["data"]
        ]
        totals.compute(session, invoice)
        emit(session, "invoice.updated", invoice)
    return item


@delete("/v1/invoiceitems/{invoiceitem}")
def remove(call: Call, id_: str) -> Doc:
    session = call.session
    item = session.need("invoiceitem", id_)
    invoice = _draft(session, item["invoice"]) if item["invoice"] else None
    item["deleted"] = True
    if invoice:
        invoice["lines"]["data"] = [row for row in invoice["lines"]["data"] if invoice_item_of(row) != id_]
        totals.compute(session, invoice)
        emit(session, "invoice.updated", invoice)
    emit(session, "invoiceitem.deleted", item)
    return {"id": id_, "object": "invoiceitem", "deleted": True}


def invoice_item_of(row: Doc) -> str | None:
    """The invoice item that a line came from."""
    parent = row["parent"] or {}
    details = parent.get("invoice_item_details") or parent.get("subscription_item_details") or {}
    return details.get("invoice_item")
