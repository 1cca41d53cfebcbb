"""The API of invoices."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import apply, currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, missing, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import PAGE, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.presenting import includes
from apps.stripe_sandbox.core.routes import Call, delete, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.invoices import items, lifecycle, lines, payment, totals
from apps.stripe_sandbox.objects import coupons, payment_methods, taxes

HOUR = 3600
PLAIN = "auto_advance collection_method custom_fields description footer metadata statement_descriptor"
CHANGEABLE = (
    f"{PLAIN} automatic_tax{{enabled}} days_until_due due_date default_payment_method default_tax_rates discounts "
    f"effective_at number"
)

serve_list(
    "/v1/invoices",
    "invoice",
    "collection_method created customer due_date status",
    subscription=lambda session, id_: ("parent = ?", (id_,)),
)
serve_object("/v1/invoices/{invoice}", "invoice")
serve_list(
    "/v1/invoice_payments",
    "invoice_payment",
    "created invoice status",
    payment=lambda session, given: ("body ->> '$.payment.payment_intent' = ?", (given.get("payment_intent"),)),
)
serve_object("/v1/invoice_payments/{invoice_payment}", "invoice_payment")


@includes("invoice", "payments")
def payments_of(session: Session, invoice: Doc) -> Doc:
    return page(
        session.find("invoice_payment", "parent = ?", invoice["id"]), f"/v1/invoice_payments?invoice={invoice['id']}"
    )


@includes("invoice", "confirmation_secret")
def confirmation_secret_of(session: Session, invoice: Doc) -> Doc | None:
    intent = session.get(invoice.get("_payment_intent"))
    return {"client_secret": intent["client_secret"], "type": "payment_intent"} if intent else None


@includes("invoice", "total_pretax_credit_amounts")
def pretax_credits_of(session: Session, invoice: Doc) -> list[Doc]:
    return [
        {"amount": item["amount"], "discount": item["discount"], "type": "discount", "credit_balance_transaction": None}
        for item in invoice["total_discount_amounts"] or []
    ]


@post("/v1/invoices", f"customer currency pending_invoice_items_behavior subscription {CHANGEABLE}")
def create(call: Call) -> Doc:
    session = call.session
    if "customer" not in call:
        raise required("customer")
    customer = session.need("customer", call["customer"], "customer")
    subscription = (
        session.need("subscription", call["subscription"], "subscription") if "subscription" in call else None
    )
    code = currency(
        call.get("currency") or (subscription and subscription["currency"]) or customer["currency"] or "usd"
    )
    invoice = lifecycle.draft(
        session, customer, "subscription_update" if subscription else "manual", code, subscription, auto_advance=False
    )
    if call.get("collection_method") == "send_invoice" and "days_until_due" not in call and "due_date" not in call:
        raise required("days_until_due")
    _change(call, invoice, customer)
    behavior = call.get("pending_invoice_items_behavior", "include" if subscription else "exclude")
    if behavior == "include":
        lifecycle.add_pending_items(session, invoice)
    lifecycle.publish(session, invoice)
    return invoice


def _change(call: Call, invoice: Doc, customer: Doc) -> None:
    session = call.session
    apply(invoice, call, f"{PLAIN} due_date effective_at number")
    if "days_until_due" in call:
        invoice["_days_until_due"] = call["days_until_due"]
    if "automatic_tax" in call:
        invoice["automatic_tax"].update(
            call["automatic_tax"], liability={"type": "self"} if call["automatic_tax"]["enabled"] else None
        )
    if "default_payment_method" in call:
        method = session.need("payment_method", call["default_payment_method"], "default_payment_method")
        invoice["default_payment_method"] = method["id"]
    if "default_tax_rates" in call:
        invoice["default_tax_rates"] = taxes.find_all(session, call["default_tax_rates"], "default_tax_rates")
    if "discounts" in call:
        invoice["discounts"] = coupons.redeem_all(
            session, call["discounts"], customer, invoice["currency"], invoice=invoice["id"]
        )
    invoice["automatically_finalizes_at"] = session.now(invoice) + HOUR if invoice["auto_advance"] else None


@post("/v1/invoices/{invoice}", CHANGEABLE)
def update(call: Call, id_: str) -> Doc:
    session = call.session
    invoice = session.need("invoice", id_)
    always = {"metadata", "auto_advance", "default_payment_method", "description", "footer"}
    if invoice["status"] != "draft" and set(call.params) - always:
        raise ApiError("Finalized invoices can't be updated in this way", code="invoice_not_editable")
    if invoice["status"] == "draft":
        _change(call, invoice, session.need("customer", invoice["customer"]))
        totals.compute(session, invoice)
    else:
        apply(invoice, call, "metadata auto_advance default_payment_method description footer")
    emit(session, "invoice.updated", invoice)
    return invoice


@delete("/v1/invoices/{invoice}")
def remove(call: Call, id_: str) -> Doc:
    session = call.session
    invoice = session.need("invoice", id_)
    if invoice["status"] != "draft" or invoice.get("_subscription"):
        raise ApiError(
            "You can only delete draft invoices that are not of a subscription.", code="invoice_not_editable"
        )
    for row in invoice["lines"]["data"]:
        item = session.get(items.invoice_item_of(row))
        if item:
            item["deleted"] = True
    invoice["deleted"] = True
    emit(session, "invoice.deleted", invoice)
    return {"id": id_, "object": "invoice", "deleted": True}


@post("/v1/invoices/{invoice}/finalize", "auto_advance")
def finalize(call: Call, id_: str) -> Doc:
    invoice = call.session.need("invoice", id_)
    apply(invoice, call, "auto_advance")
    lifecycle.finalize(call.session, invoice)
    if (
        invoice["auto_advance"]
        and invoice["status"] == "open"
        and invoice["collection_method"] == "charge_automatically"
    ):
        # Stripe tries within the hour; here at the next move of the clock.
        invoice["next_payment_attempt"] = call.session.now(invoice) + HOUR
    return invoice


@post("/v1/invoices/{invoice}/pay", "payment_method paid_out_of_band off_session")
def pay(call: Call, id_: str) -> Doc:
    session = call.session
    invoice = session.need("invoice", id_)
    method = None
    if call.get("payment_method"):
        method = payment_methods.find(session, call["payment_method"])
        if method["customer"] not in (None, invoice["customer"]):
            raise missing("PaymentMethod", method["id"], "payment_method")
        if method["customer"] is None:
            payment_methods.attach_to(session, method, session.need("customer", invoice["customer"]))
    payment.pay(session, invoice, method, out_of_band=bool(call.get("paid_out_of_band")))
    return invoice


@post("/v1/invoices/{invoice}/send")
def send(call: Call, id_: str) -> Doc:
    invoice = call.session.need("invoice", id_)
    if invoice["status"] == "draft":
        lifecycle.finalize(call.session, invoice)
    emit(call.session, "invoice.sent", invoice)
    return invoice


@post("/v1/invoices/{invoice}/void")
def void(call: Call, id_: str) -> Doc:
    invoice = call.session.need("invoice", id_)
    lifecycle.void(call.session, invoice)
    return invoice


@post("/v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(call: Call, id_: str) -> Doc:
    invoice = call.session.need("invoice", id_)
    lifecycle.mark_uncollectible(call.session, invoice)
    return invoice


@get("/v1/invoices/{invoice}/lines", PAGE)
def list_lines(call: Call, id_: str) -> Doc:
    return slice_page(call, call.session.need("invoice", id_)["lines"]["data"], f"/v1/invoices/{id_}/lines")


@post(
    "/v1/invoices/{invoice}/add_lines",
    "invoice_metadata lines{amount description discountable metadata period pricing{price} quantity tax_rates}",
)
def add_lines(call: Call, id_: str) -> Doc:
    session = call.session
    invoice = session.need("invoice", id_)
    if invoice["status"] != "draft":
        raise ApiError("This invoice is no longer editable", code="invoice_not_editable")
    customer = session.need("customer", invoice["customer"])
    for given in call["lines"]:
        _add_line(session, invoice, customer, given)
    if "invoice_metadata" in call:
        invoice["metadata"] = merged_metadata(invoice["metadata"], call["invoice_metadata"])
    totals.compute(session, invoice)
    emit(session, "invoice.updated", invoice)
    return invoice


def _add_line(session: Session, invoice: Doc, customer: Doc, given: dict[str, Any]) -> None:
    item = items.add(session, customer, {**given, "currency": invoice["currency"]})
    item["invoice"] = invoice["id"]
    emit(session, "invoiceitem.created", item)
    invoice["lines"]["data"].append(lines.of_invoice_item(invoice, item))
