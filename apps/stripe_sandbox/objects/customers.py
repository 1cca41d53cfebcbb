"""Customers, their credit balance and their tax ids."""

from __future__ import annotations

import re
from typing import Any

from apps.stripe_sandbox.core.changes import address, apply, currency, merged_metadata, shipping
from apps.stripe_sandbox.core.errors import ApiError, known, missing
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.lists import PAGE, listed, serve_list
from apps.stripe_sandbox.core.presenting import includes
from apps.stripe_sandbox.core.routes import Call, delete, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.objects import payment_methods, tax_ids

PLAIN = "description email name phone preferred_locales business_name individual_name"
SERVED = (
    f"{PLAIN} address balance invoice_prefix invoice_settings{{custom_fields default_payment_method footer}} metadata "
    "next_invoice_sequence shipping tax_exempt"
)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")

serve_list("/v1/customers", "customer", "created email test_clock")


@get("/v1/customers/{customer}")
def retrieve(call: Call, id_: str) -> Doc:
    customer = call.session.get(id_)
    if customer is None or customer["object"] != "customer":
        raise missing("customer", id_)
    return {"id": id_, "object": "customer", "deleted": True} if customer.get("deleted") else customer


@post("/v1/customers", f"{SERVED} payment_method tax_id_data test_clock")
def create(call: Call) -> Doc:
    return add(call.session, call.params)


def add(session: Session, given: dict[str, Any]) -> Doc:
    clock = (
        session.need("test_helpers.test_clock", given["test_clock"], "test_clock") if given.get("test_clock") else None
    )
    if clock and clock["status"] == "advancing":
        raise ApiError("Test clock advancement underway - cannot create customers on it.", status=429)
    customer = session.add(
        "customer",
        clock["frozen_time"] if clock else session.time,
        balance=0,
        delinquent=False,
        invoice_prefix=random_text(8, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"),
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        next_invoice_sequence=1,
        preferred_locales=[],
        tax_exempt="none",
        metadata={},
        test_clock=clock and clock["id"],
    )
    call = Call(session, given)
    settings = given.get("invoice_settings") or {}
    _change(call, customer, {name: value for name, value in settings.items() if name != "default_payment_method"})
    emit(session, "customer.created", customer)
    if "payment_method" in given:
        method = payment_methods.find(session, given["payment_method"])
        payment_methods.attach_to(session, method, customer)
        if settings.get("default_payment_method") in (method["id"], given["payment_method"]):
            customer["invoice_settings"]["default_payment_method"] = method["id"]
    elif settings.get("default_payment_method"):
        raise ApiError(
            "The customer does not have a payment method with this ID.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )
    for tax_id in given.get("tax_id_data") or []:
        tax_ids.add(session, customer, tax_id["type"], tax_id["value"])
    return customer


def _change(call: Call, customer: Doc, settings: dict[str, Any]) -> None:
    if call.get("email") and not EMAIL.fullmatch(call["email"]):
        raise ApiError(f"Invalid email address: {call['email']}", code="email_invalid", param="email")
    apply(customer, call, f"{PLAIN} metadata invoice_prefix next_invoice_sequence")
    if "address" in call.params:
        customer["address"] = address(call["address"])
    if "shipping" in call.params:
        customer["shipping"] = shipping(call["shipping"])
    if "tax_exempt" in call.params:
        customer["tax_exempt"] = call["tax_exempt"] or "none"
    if "balance" in call.params and call["balance"] != customer["balance"]:
        change_balance(call.session, customer, call["balance"] - customer["balance"], "adjustment")
    customer["invoice_settings"].update(settings)


@post("/v1/customers/{customer}", SERVED)
def update(call: Call, id_: str) -> Doc:
    session = call.session
    customer = session.need("customer", id_)
    settings = dict(call.get("invoice_settings", {}))
    method_id = settings.get("default_payment_method")
    if method_id:
        method = session.get(method_id)
        if method is None or method.get("customer") != id_:
            raise missing("PaymentMethod", method_id, "invoice_settings[default_payment_method]")
    _change(call, customer, settings)
    emit(session, "customer.updated", customer)
    return customer


@delete("/v1/customers/{customer}")
def remove(call: Call, id_: str) -> Doc:
    delete_customer(call.session, call.session.need("customer", id_))
    return {"id": id_, "object": "customer", "deleted": True}


def delete_customer(session: Session, customer: Doc) -> None:
    """Cancels what the customer had, takes the cards away, and leaves a mark that it was there."""
    from apps.stripe_sandbox.subscriptions import ending  # noqa: PLC0415 - subscriptions know customers

    for subscription in session.find("subscription", "customer = ?", customer["id"]):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            ending.end(session, subscription, session.now(subscription), None)
    for method in session.find("payment_method", "customer = ?", customer["id"]):
        method["customer"] = None
    customer["deleted"] = True
    emit(session, "customer.deleted", customer)


def change_balance(
    session: Session, customer: Doc, amount: int, kind: str, code: str | None = None, **fields: Any
) -> Doc | None:
    """Move the credit balance (negative: what we owe the customer) and write it down."""
    if not amount:
        return None
    customer["balance"] += amount
    code = code or customer["currency"] or "usd"
    customer["currency"] = customer["currency"] or code
    return session.add(
        "customer_balance_transaction",
        session.now(customer),
        amount=amount,
        currency=code,
        customer=customer["id"],
        ending_balance=customer["balance"],
        type=kind,
        metadata=fields.pop("metadata", {}),
        **fields,
    )


@get("/v1/customers/{customer}/balance_transactions", PAGE)
def list_balance_transactions(call: Call, customer: str) -> Doc:
    call.session.need("customer", customer, "customer")
    return listed(
        call,
        "customer_balance_transaction",
        f"/v1/customers/{customer}/balance_transactions",
        [("customer = ?", (customer,))],
    )


@post("/v1/customers/{customer}/balance_transactions", "amount currency description metadata")
def create_balance_transaction(call: Call, id_: str) -> Doc:
    customer = call.session.need("customer", id_, "customer")
    code = currency(call["currency"])
    if customer["currency"] not in (None, code):
        raise ApiError(f"The customer's currency is {customer['currency']}.", param="currency")
    if call["amount"] == 0:
        raise ApiError("The amount must not be zero.", param="amount")
    metadata = merged_metadata({}, call.get("metadata", {}))
    transaction = change_balance(
        call.session,
        customer,
        call["amount"],
        "adjustment",
        code,
        description=call.get("description"),
        metadata=metadata,
    )
    emit(call.session, "customer.updated", customer)
    return known(transaction)


@get("/v1/customers/{customer}/balance_transactions/{transaction}")
def retrieve_balance_transaction(call: Call, customer: str, id_: str) -> Doc:
    return tax_ids.owned(call.session, "customer_balance_transaction", customer, id_)


@post("/v1/customers/{customer}/balance_transactions/{transaction}", "description metadata")
def update_balance_transaction(call: Call, customer: str, id_: str) -> Doc:
    transaction = tax_ids.owned(call.session, "customer_balance_transaction", customer, id_)
    apply(transaction, call, "description metadata")
    return transaction


@includes("customer", "subscriptions")
def subscriptions_of(session: Session, customer: Doc) -> Doc:
    running = "customer = ? AND body ->> '$.status' NOT IN ('canceled', 'incomplete_expired')"
    return page(session.find("subscription", running, customer["id"]), f"/v1/customers/{customer['id']}/subscriptions")


@includes("customer", "sources")
def sources_of(session: Session, customer: Doc) -> Doc:
    return page([], f"/v1/customers/{customer['id']}/sources")


@get("/v1/customers/{customer}/sources", f"{PAGE} object")
def list_sources(call: Call, customer: str) -> Doc:
    """Cards and accounts of the time before payment methods: of none of these types is there any."""
    call.session.need("customer", customer, "customer")
    return page([], f"/v1/customers/{customer}/sources")
