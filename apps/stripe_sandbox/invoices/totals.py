"""What an invoice comes to: discounts line by line, then tax, then the customer's balance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.money import rounded, shared_out
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import coupons, taxes

SMALLEST_CHARGE = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50, "cad": 50, "aud": 50}


def compute(session: Session, invoice: Doc) -> None:
    """Bring all sums of a draft up to date."""
    customer = session.need("customer", invoice["customer"])
    rows: list[Doc] = invoice["lines"]["data"]
    for row in rows:
        row["discount_amounts"], row["taxes"] = [], []
    _discount(session, invoice, rows)
    automatic, reason = _automatic(session, invoice, customer)
    for row in rows:
        _tax(row, invoice, automatic, reason, exempt=customer["tax_exempt"] != "none")
    _sum(invoice, rows)
    balance(invoice, customer["balance"])


def _discount(session: Session, invoice: Doc, rows: list[Doc]) -> None:
    """Each discount in turn, on what the ones before it have left."""
    for id_ in invoice["discounts"]:
        coupon = coupons.coupon_of(session, id_)
        _apply_discount(
            coupon, id_, [row for row in rows if _discountable(row) and coupons.applies_to(coupon, _product(row))]
        )
    for row in rows:
        for id_ in row["discounts"]:
            _apply_discount(coupons.coupon_of(session, id_), id_, [row] if _discountable(row) else [])


def _apply_discount(coupon: Doc, discount: str, rows: list[Doc]) -> None:
    left = [_net(row) for row in rows]
    base = sum(left)
    if coupon["percent_off"]:
        off = rounded(base * Fraction(str(coupon["percent_off"])) / 100)
    else:
        off = min(base, coupon["amount_off"])
    for row, share in zip(rows, shared_out(off, left), strict=True):
        row["discount_amounts"].append({"amount": share, "discount": discount})


def _discountable(row: Doc) -> bool:
    return bool(row["discountable"]) and row["amount"] > 0


def _product(row: Doc) -> str | None:
    return row["pricing"]["price_details"]["product"] if row["pricing"] else None


def _net(row: Doc) -> int:
    return int(row["amount"] - sum(item["amount"] for item in row["discount_amounts"]))


def _automatic(session: Session, invoice: Doc, customer: Doc) -> tuple[dict[bool, list[Doc]] | None, str]:
    """The rates of automatic tax, by whether prices include them; None if it is off or not possible."""
    state = invoice["automatic_tax"]
    if not state["enabled"]:
        return None, ""
    if taxes.location(customer) is None:
        state["status"] = "requires_location_inputs"
        return None, ""
    state["status"] = "complete"
    rates = {}
    reason = ""
    for inclusive in (False, True):
        rates[inclusive], reason = taxes.automatic_rates(session, customer, inclusive=inclusive)
    return rates, reason


def _tax(row: Doc, invoice: Doc, automatic: dict[bool, list[Doc]] | None, reason: str, *, exempt: bool) -> None:
    if automatic is not None:
        row["taxes"] = taxes.taxes_on(_net(row), automatic[bool(row.get("_inclusive"))], reason)
    elif not exempt:
        row["taxes"] = taxes.taxes_on(_net(row), row.get("_tax_rates") or invoice["default_tax_rates"])


def _sum(invoice: Doc, rows: list[Doc]) -> None:
    subtotal = sum(row["amount"] for row in rows)
    discounts = _grouped(rows, "discount_amounts", lambda item: item["discount"])
    by_rate = _grouped(rows, "taxes", lambda item: item["tax_rate_details"]["tax_rate"])
    off = sum(item["amount"] for item in discounts)
    exclusive = sum(item["amount"] for item in by_rate if item["tax_behavior"] == "exclusive")
    inclusive = sum(item["amount"] for item in by_rate if item["tax_behavior"] == "inclusive")
    invoice.update(
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal - inclusive,
        total_discount_amounts=discounts,
        total_taxes=by_rate,
        total=subtotal - off + exclusive,
        total_excluding_tax=subtotal - off - inclusive,
    )


def _grouped(rows: list[Doc], name: str, key: Any) -> list[Doc]:
    """The amounts of all lines, added up by what they are for."""
    found: dict[str, Doc] = {}
    for row in rows:
        for item in row[name]:
            if key(item) in found:
                found[key(item)]["amount"] += item["amount"]
                if "taxable_amount" in item:
                    found[key(item)]["taxable_amount"] += item["taxable_amount"]
            else:
                found[key(item)] = dict(item)
    return list(found.values())


def balance(invoice: Doc, starting: int) -> int:
    """Apply the customer's balance: sets what is due, and tells the balance that is left.

    A total below nothing becomes credit. What is too small to charge is carried over.
    """
    owed = invoice["total"] + starting
    nothing_due = invoice["total"] <= 0 or owed <= 0 or owed < SMALLEST_CHARGE.get(invoice["currency"], 0)
    due, ending = (0, owed) if nothing_due else (owed, 0)
    invoice.update(starting_balance=starting, amount_due=due, amount_remaining=due - invoice["amount_paid"])
    return ending
