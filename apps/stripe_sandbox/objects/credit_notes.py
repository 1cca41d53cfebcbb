"""Credit notes: less to pay on an open invoice, money or credit back on a paid one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, known, missing, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.lists import PAGE, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.money import rounded
from apps.stripe_sandbox.core.routes import Call, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, complete, page
from apps.stripe_sandbox.invoices import lifecycle
from apps.stripe_sandbox.objects import customers, payment_intents, refunds

CREATED = (
    "amount credit_amount refund_amount out_of_band_amount invoice memo metadata reason effective_at lines{type "
    "amount description invoice_line_item quantity unit_amount}"
)

serve_list("/v1/credit_notes", "credit_note", "created customer invoice")
serve_object("/v1/credit_notes/{id}", "credit_note")


@post("/v1/credit_notes", CREATED)
def create(call: Call) -> Doc:
    return _issue(call.session, call.params)


@get("/v1/credit_notes/preview", CREATED)
def preview(call: Call) -> Doc:
    with call.session.rehearsal():
        return {**_issue(call.session, call.params), "number": "preview"}


def _issue(session: Session, given: dict[str, Any]) -> Doc:
    invoice = session.need("invoice", given["invoice"], "invoice")
    if invoice["status"] not in ("open", "paid", "uncollectible"):
        raise ApiError("You can only create credit notes for finalized invoices that are not void.", param="invoice")
    rows = _lines(invoice, given)
    total = sum(row["amount"] - row["discount_amount"] + _tax(row) for row in rows)
    if "amount" in given and not given.get("lines"):
        total = given["amount"]
    left = invoice["total"] - invoice["pre_payment_credit_notes_amount"] - invoice["post_payment_credit_notes_amount"]
    if not 0 < total <= left:
        raise ApiError(
            f"The credit note's amount ({total}) must be positive, and at most what is left ({left}).", param="amount"
        )
    note = _add(session, invoice, rows, total, given)
    if invoice["status"] == "paid":
        _give_back(session, invoice, note, given)
    else:
        _reduce(session, invoice, note)
    emit(session, "credit_note.created", note)
    return note


def _lines(invoice: Doc, given: dict[str, Any]) -> list[Doc]:
    if not given.get("lines"):
        if "amount" not in given:
            raise required("amount")
        return [_line({"type": "custom_line_item", "amount": given["amount"], "description": "Credit"})]
    by_id = {row["id"]: row for row in invoice["lines"]["data"]}
    rows = []
    for number, row in enumerate(given["lines"]):
        if row["type"] == "invoice_line_item":
            source = by_id.get(row.get("invoice_line_item", ""))
            if source is None:
                raise missing(
                    "invoice line item", str(row.get("invoice_line_item")), f"lines[{number}][invoice_line_item]"
                )
            rows.append(_line_of(source, row))
        else:
            amount = row.get("amount", row.get("unit_amount", 0) * row.get("quantity", 1))
            rows.append(_line({**row, "amount": amount}))
    return rows


def _line(fields: dict[str, Any]) -> Doc:
    fields = {
        name: value
        for name, value in fields.items()
        if name in ("type", "amount", "description", "quantity", "unit_amount")
    }
    return complete(
        {
            "id": new_id("credit_note_line_item"),
            "object": "credit_note_line_item",
            "discount_amount": 0,
            "tax_rates": [],
            "taxes": [],
            "metadata": {},
            **fields,
        }
    )


def _line_of(source: Doc, given: dict[str, Any]) -> Doc:
    """A part of an invoice's line, with the same part of its discounts and taxes."""
    quantity = given.get("quantity")
    amount = given.get("amount")
    if amount is None:
        whole = source["quantity"] or 1
        amount = rounded(Fraction(source["amount"] * (whole if quantity is None else quantity), whole))
    if amount > source["amount"]:
        raise ApiError("The amount is more than that of the invoice's line.", param="lines")
    part = Fraction(amount, source["amount"]) if source["amount"] else Fraction(0)
    row = _line(
        {"type": "invoice_line_item", "amount": amount, "description": source["description"], "quantity": quantity}
    )
    row["invoice_line_item"] = source["id"]
    row["discount_amounts"] = [
        {**item, "amount": rounded(item["amount"] * part)} for item in source["discount_amounts"]
    ]
    row["discount_amount"] = sum(item["amount"] for item in row["discount_amounts"])
    row["taxes"] = [
        {**tax, "amount": rounded(tax["amount"] * part), "taxable_amount": rounded(tax["taxable_amount"] * part)}
        for tax in source["taxes"]
    ]
    return row


def _tax(row: Doc) -> int:
    return sum(tax["amount"] for tax in row["taxes"] if tax["tax_behavior"] == "exclusive")


def _add(session: Session, invoice: Doc, rows: list[Doc], total: int, given: dict[str, Any]) -> Doc:
    number = len(session.find("credit_note", "parent = ?", invoice["id"])) + 1
    subtotal = sum(row["amount"] for row in rows)
    discounts = sum(row["discount_amount"] for row in rows)
    note = session.add(
        "credit_note",
        session.now(invoice),
        amount=total,
        currency=invoice["currency"],
        customer=invoice["customer"],
        discount_amount=discounts,
        discount_amounts=[item for row in rows for item in row["discount_amounts"]],
        effective_at=given.get("effective_at") or session.now(invoice),
        invoice=invoice["id"],
        lines=page(rows, ""),
        memo=given.get("memo"),
        metadata=merged_metadata({}, given.get("metadata", {})),
        number=f"{invoice['number']}-CN-{number:02d}",
        pdf=f"{session.setting('url')}/i/{invoice['id']}/pdf",
        post_payment_amount=total if invoice["status"] == "paid" else 0,
        pre_payment_amount=0 if invoice["status"] == "paid" else total,
        reason=given.get("reason"),
        status="issued",
        subtotal=subtotal,
        subtotal_excluding_tax=subtotal,
        total=total,
        total_excluding_tax=subtotal - discounts,
        total_taxes=[tax for row in rows for tax in row["taxes"]],
        type="post_payment" if invoice["status"] == "paid" else "pre_payment",
        _clock=invoice["test_clock"],
    )
    note["lines"]["url"] = f"/v1/credit_notes/{note['id']}/lines"
    return note


def _reduce(session: Session, invoice: Doc, note: Doc) -> None:
    """An open invoice: less is due, perhaps nothing."""
    less = min(note["total"], invoice["amount_remaining"])
    invoice["pre_payment_credit_notes_amount"] += note["total"]
    invoice["amount_due"] -= less
    invoice["amount_remaining"] -= less
    intent = session.get(invoice.get("_payment_intent"))
    payment = session.get(invoice.get("_invoice_payment"))
    if invoice["amount_remaining"] == 0:
        if intent and intent["status"] not in ("succeeded", "canceled"):
            payment_intents.cancel_intent(session, intent, None)
        lifecycle.mark_paid(session, invoice)
    elif intent and payment:
        intent["amount"] = payment["amount_requested"] = invoice["amount_remaining"]
        emit(session, "invoice.updated", invoice)


def _give_back(session: Session, invoice: Doc, note: Doc, given: dict[str, Any]) -> None:
    """A paid invoice: refund, credit, or outside of Stripe; together they make up the whole."""
    refund, out = given.get("refund_amount", 0), given.get("out_of_band_amount", 0)
    credit = given.get("credit_amount", note["total"] - refund - out if not (refund or out) else 0)
    if refund + credit + out != note["total"]:
        raise ApiError(
            "`refund_amount`, `credit_amount` and `out_of_band_amount` must add up to the credit note's total.",
            param="credit_amount",
        )
    invoice["post_payment_credit_notes_amount"] += note["total"]
    note["out_of_band_amount"] = out or None
    if refund:
        intent = session.get(invoice.get("_payment_intent"))
        charge = session.get(intent["latest_charge"]) if intent else None
        if charge is None:
            raise ApiError("The invoice was not paid by a charge that could be refunded.", param="refund_amount")
        made = refunds.refund_charge(session, charge, refund, None)
        note["refunds"] = [
            {"amount_refunded": refund, "refund": made["id"], "type": "refund", "payment_record_refund": None}
        ]
    if credit:
        customer = session.need("customer", invoice["customer"])
        transaction = customers.change_balance(
            session,
            customer,
            -credit,
            "credit_note",
            invoice["currency"],
            credit_note=note["id"],
            invoice=invoice["id"],
        )
        note["customer_balance_transaction"] = known(transaction)["id"]
        emit(session, "customer.updated", customer)
    emit(session, "invoice.updated", invoice)


@post("/v1/credit_notes/{id}", "memo metadata")
def update(call: Call, id_: str) -> Doc:
    note = call.session.need("credit_note", id_)
    apply(note, call, "memo metadata")
    emit(call.session, "credit_note.updated", note)
    return note


@post("/v1/credit_notes/{id}/void")
def void(call: Call, id_: str) -> Doc:
    session = call.session
    note = session.need("credit_note", id_)
    invoice = session.need("invoice", note["invoice"])
    if note["status"] == "void" or note["type"] != "pre_payment" or invoice["status"] != "open":
        raise ApiError("You can only void issued credit notes of open invoices.")
    note.update(status="void", voided_at=session.now(note))
    invoice["pre_payment_credit_notes_amount"] -= note["total"]
    invoice["amount_due"] += note["total"]
    invoice["amount_remaining"] += note["total"]
    intent, payment = session.get(invoice.get("_payment_intent")), session.get(invoice.get("_invoice_payment"))
    if intent and payment:
        intent["amount"] = payment["amount_requested"] = invoice["amount_remaining"]
    emit(session, "credit_note.voided", note)
    return note


@get("/v1/credit_notes/{credit_note}/lines", PAGE)
def list_lines(call: Call, id_: str) -> Doc:
    return slice_page(call, call.session.need("credit_note", id_)["lines"]["data"], f"/v1/credit_notes/{id_}/lines")
