"""Payment methods: cards, made from test numbers and tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apps.stripe_sandbox.core.changes import address, apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, CardError, missing, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import PAGE, listed, serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import cards

BILLING = "billing_details{address email name phone tax_id}"
CARD = "card{number exp_month exp_year cvc token}"
EXPIRY = (12, 2034)

serve_list("/v1/payment_methods", "payment_method", "customer type allow_redisplay")
serve_object("/v1/payment_methods/{payment_method}", "payment_method")


@post("/v1/payment_methods", f"type {CARD} {BILLING} metadata allow_redisplay")
def create(call: Call) -> Doc:
    if call.get("type") != "card":
        raise not_served("payment methods other than cards", "type") if "type" in call else required("type")
    return from_data(call.session, call.params)


def from_data(session: Session, given: dict[str, Any]) -> Doc:
    """A new payment method from parameters in the shape of `payment_method_data`."""
    details = given.get("card")
    if not details:
        raise required("card")
    if "token" in details:
        card, month, year = cards.named(details["token"]), *EXPIRY
        if card is None:
            raise missing("token", details["token"], "card[token]")
    else:
        for name in ("number", "exp_month", "exp_year"):
            if name not in details:
                raise required(f"card[{name}]")
        card, month, year = cards.by_number(details["number"]), int(details["exp_month"]), int(details["exp_year"])
    return add(session, card, month, year, given)


def add(session: Session, card: cards.Card, month: int, year: int, given: dict[str, Any]) -> Doc:
    if not 1 <= month <= 12:
        raise CardError("Your card's expiration month is invalid.", code="invalid_expiry_month", param="exp_month")
    if (year, month) < (
        datetime.fromtimestamp(session.time, UTC).year,
        datetime.fromtimestamp(session.time, UTC).month,
    ):
        raise CardError("Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year")
    billing = given.get("billing_details") or {}
    return session.add(
        "payment_method",
        session.time,
        type="card",
        customer=None,
        allow_redisplay=given.get("allow_redisplay", "unspecified"),
        metadata=merged_metadata({}, given.get("metadata", {})),
        billing_details={
            **{name: billing.get(name) for name in ("email", "name", "phone", "tax_id")},
            "address": address(billing.get("address") or {}),
        },
        card=_card(card, month, year),
        _number=card.number,
        _set_up=False,
    )


def _card(card: cards.Card, month: int, year: int) -> Doc:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def find(session: Session, id_: str, param: str = "payment_method") -> Doc:
    """A payment method by id; `pm_card_visa` and its like make a new one each time."""
    card = cards.named(id_) if id_.startswith("pm_card_") else None
    return add(session, card, *EXPIRY, {}) if card else session.need("payment_method", id_, param)


def card_of(method: Doc) -> cards.Card:
    return cards.CARDS[method["_number"]]


def attach_to(session: Session, method: Doc, customer: Doc) -> None:
    """Save a card for a customer; what declines at once cannot be saved."""
    if method["customer"] == customer["id"]:
        return
    if method["customer"]:
        raise ApiError(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    if method.get("_detached"):
        raise ApiError(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again."
        )
    card = card_of(method)
    if card.decline and not card.attaches:
        raise CardError(cards.message(card.decline, card.reason), code=card.decline, decline_code=card.reason)
    method["customer"] = customer["id"]
    method["_clock"] = customer.get("test_clock")
    emit(session, "payment_method.attached", method)


@post("/v1/payment_methods/{payment_method}/attach", "customer")
def attach(call: Call, id_: str) -> Doc:
    if "customer" not in call:
        raise required("customer")
    method = find(call.session, id_)
    attach_to(call.session, method, call.session.need("customer", call["customer"], "customer"))
    return method


@post("/v1/payment_methods/{payment_method}/detach")
def detach(call: Call, id_: str) -> Doc:
    method = call.session.need("payment_method", id_)
    if not method["customer"]:
        raise ApiError("The payment method you provided is not attached to a customer so detachment is impossible.")
    release(call.session, method)
    return method


def release(session: Session, method: Doc) -> None:
    """Take a card from its customer, and from everything that would have used it."""
    customer = session.get(method["customer"])
    method.update(customer=None, _detached=True)
    emit(session, "payment_method.detached", method)
    if (
        customer
        and not customer.get("deleted")
        and customer["invoice_settings"]["default_payment_method"] == method["id"]
    ):
        customer["invoice_settings"]["default_payment_method"] = None
        emit(session, "customer.updated", customer)
    if customer:
        for subscription in session.find(
            "subscription", "customer = ? AND body ->> '$.default_payment_method' = ?", customer["id"], method["id"]
        ):
            subscription["default_payment_method"] = None
            emit(session, "customer.subscription.updated", subscription)


@post("/v1/payment_methods/{payment_method}", f"{BILLING} card{{exp_month exp_year}} metadata allow_redisplay")
def update(call: Call, id_: str) -> Doc:
    method = call.session.need("payment_method", id_)
    if not method["customer"]:
        raise ApiError("You must save this payment method to a customer before you can update it.")
    apply(method, call, "metadata allow_redisplay")
    for name, value in call.get("billing_details", {}).items():
        method["billing_details"][name] = address(value or {}) if name == "address" else value
    method["card"].update(call.get("card", {}))
    emit(call.session, "payment_method.updated", method)
    return method


@get("/v1/customers/{customer}/payment_methods", f"{PAGE} type allow_redisplay")
def list_of_customer(call: Call, customer: str) -> Doc:
    call.session.need("customer", customer, "customer")
    conditions: list[tuple[str, tuple[Any, ...]]] = [("customer = ?", (customer,))]
    conditions += [(f"body ->> '$.{name}' = ?", (call[name],)) for name in ("type", "allow_redisplay") if name in call]
    return listed(call, "payment_method", f"/v1/customers/{customer}/payment_methods", conditions)


@get("/v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(call: Call, customer: str, id_: str) -> Doc:
    method = call.session.need("payment_method", id_)
    if method["customer"] != customer:
        raise missing("payment method", id_)
    return method
