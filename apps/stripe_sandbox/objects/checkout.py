"""Checkout sessions: what a page for paying, subscribing or saving a card is about. The page itself is in `pages`."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.changes import apply, currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, missing, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id, random_text
from apps.stripe_sandbox.core.lists import PAGE, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.presenting import includes
from apps.stripe_sandbox.core.routes import Call, get, post
from apps.stripe_sandbox.core.session import NEXT_DUE, Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.objects import checkout_quote, coupons, prices

DAY = 86_400
LINES = "line_items{price price_data quantity tax_rates}"
SUBSCRIPTION = (
    "subscription_data{billing_cycle_anchor default_tax_rates description metadata proration_behavior trial_end "
    "trial_period_days trial_settings}"
)
PAYMENT = (
    "payment_intent_data{capture_method description metadata receipt_email setup_future_usage statement_descriptor}"
)
KEPT = "billing_address_collection cancel_url client_reference_id customer_email success_url allow_promotion_codes"

serve_list(
    "/v1/checkout/sessions",
    "checkout.session",
    "created customer payment_intent status subscription",
    customer_details=lambda session, given: ("body ->> '$.customer_details.email' = ?", (given["email"],)),
)
serve_object("/v1/checkout/sessions/{session}", "checkout.session")


@post(
    "/v1/checkout/sessions",
    f"mode {LINES} {SUBSCRIPTION} {PAYMENT} {KEPT} setup_intent_data{{description metadata}} automatic_tax{{enabled}} "
    f"currency customer "
    "customer_creation customer_update{address} discounts expires_at locale metadata payment_method_collection "
    "payment_method_types submit_type ui_mode",
)
def create(call: Call) -> Doc:
    session = call.session
    mode = call.get("mode")
    if mode is None:
        raise required("mode")
    if mode != "setup" and not call.get("line_items"):
        raise required("line_items")
    _check(call)
    customer = session.need("customer", call["customer"], "customer") if "customer" in call else None
    code = _currency(session, call)
    checkout = _add(session, call, mode, customer, code)
    if "discounts" in call:
        checkout["discounts"] = [_discount(session, given, customer) for given in call["discounts"]]
    quote(session, checkout)
    checkout["url"] = f"{session.setting('url')}/c/pay/{checkout['id']}"
    return checkout


def _refuse_unserved(call: Call) -> None:
    if call.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_served("Checkout other than the hosted page", "ui_mode")
    if call.get("payment_method_types", ["card"]) != ["card"]:
        raise not_served("payment methods other than cards", "payment_method_types")
    if call.get("locale", "auto") not in ("auto", "en"):
        raise not_served("pages in other languages than English", "locale")


def _check(call: Call) -> None:
    _refuse_unserved(call)
    if "success_url" not in call:
        raise required("success_url")
    if "customer" in call and "customer_email" in call:
        raise ApiError("You may only specify one of these parameters: customer, customer_email.")
    if call.get("allow_promotion_codes") and "discounts" in call:
        raise ApiError("You may only specify one of these parameters: allow_promotion_codes, discounts.")
    for name, mode in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
        ("setup_intent_data", "setup"),
    ):
        if name in call and call["mode"] != mode:
            raise ApiError(f"You can not pass `{name}` in `{call['mode']}` mode.", param=name)


def _currency(session: Session, call: Call) -> str | None:
    first = (call.get("line_items") or [{}])[0]
    given = call.get("currency") or (first.get("price_data") or {}).get("currency")
    if given:
        return currency(given)
    return (
        str(session.need("price", first["price"], "line_items[0][price]")["currency"]) if first.get("price") else None
    )


def _add(session: Session, call: Call, mode: str, customer: Doc | None, code: str | None) -> Doc:
    now = session.now(customer)
    expires = call.get("expires_at", session.time + DAY)
    if not session.time + 1800 - 60 <= expires <= session.time + DAY:
        raise ApiError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation, and at most 24 "
            "hours.",
            param="expires_at",
        )
    checkout = session.add(
        "checkout.session",
        now,
        id=f"cs_test_{random_text(58)}",
        automatic_tax={
            "enabled": bool(call.get("automatic_tax", {}).get("enabled")),
            "liability": None,
            "provider": None,
            "status": None,
        },
        currency=code,
        customer=customer and customer["id"],
        customer_creation=None
        if customer
        else call.get("customer_creation", "always" if mode == "subscription" else "if_required"),
        customer_details={
            "email": customer["email"],
            "name": customer["name"],
            "phone": customer["phone"],
            "address": None,
            "tax_exempt": "none",
            "tax_ids": None,
        }
        if customer
        else None,
        custom_fields=[],
        custom_text={},
        discounts=[],
        expires_at=expires,
        locale=call.get("locale"),
        metadata=merged_metadata({}, call.get("metadata", {})),
        mode=mode,
        payment_method_collection=call.get("payment_method_collection", "always") if mode == "subscription" else None,
        payment_method_types=["card"],
        payment_status="no_payment_required" if mode == "setup" else "unpaid",
        shipping_options=[],
        status="open",
        submit_type=call.get("submit_type"),
        ui_mode="hosted_page",
        _clock=customer and customer["test_clock"],
        _data=call.get(
            f"{'payment_intent' if mode == 'payment' else mode if mode == 'subscription' else 'setup_intent'}_data", {}
        ),
        _lines=_checked_lines(session, call.get("line_items") or [], mode, code),
        _customer_update=call.get("customer_update", {}),
    )
    apply(checkout, call, KEPT)
    return checkout


def _checked_lines(session: Session, given: list[dict[str, Any]], mode: str, code: str | None) -> list[Doc]:
    """The lines, each with a price that exists."""
    lines = []
    for number, line in enumerate(given):
        price = (
            prices.add(session, line["price_data"])
            if "price_data" in line
            else session.need("price", line.get("price", ""), f"line_items[{number}][price]")
        )
        metered = price["type"] == "recurring" and price["recurring"]["usage_type"] == "metered"
        if mode == "payment" and price["type"] == "recurring":
            raise ApiError(
                "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or "
                "use only one-time prices.",
                param="line_items",
            )
        if "quantity" not in line and not metered:
            raise required(f"line_items[{number}][quantity]")
        prices.in_currency(price, code or price["currency"], f"line_items[{number}][price]")
        quantity = None if metered else line["quantity"]
        lines.append(
            {
                "id": new_id("item"),
                "price": price["id"],
                "quantity": quantity,
                "tax_rates": line.get("tax_rates", []),
                "recurring": price["type"] == "recurring",
            }
        )
    if mode == "subscription" and not any(line["recurring"] for line in lines):
        raise ApiError(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    return lines


def _discount(session: Session, given: dict[str, Any], customer: Doc | None) -> Doc:
    if given.get("promotion_code"):
        code = coupons.usable_code(session, given["promotion_code"], customer, "discounts[0][promotion_code]")
        return {"coupon": None, "promotion_code": code["id"]}
    return {"coupon": session.need("coupon", given["coupon"], "discounts[0][coupon]")["id"], "promotion_code": None}


def quote(session: Session, checkout: Doc) -> None:
    """What it comes to, as the page shows it."""
    if checkout["mode"] == "setup":
        return
    amounts, items = checkout_quote.compute(session, checkout)
    checkout.update(amount_subtotal=amounts["subtotal"], amount_total=amounts["total"])
    checkout["total_details"] = {
        "amount_discount": amounts["discount"],
        "amount_shipping": 0,
        "amount_tax": amounts["tax"],
        "breakdown": None,
    }
    checkout["_items"] = items


@includes("checkout.session", "line_items")
def line_items_of(session: Session, checkout: Doc) -> Doc:
    return page(checkout.get("_items") or [], f"/v1/checkout/sessions/{checkout['id']}/line_items")


@get("/v1/checkout/sessions/{session}/line_items", PAGE)
def list_line_items(call: Call, id_: str) -> Doc:
    return slice_page(
        call, call.session.need("checkout.session", id_).get("_items") or [], f"/v1/checkout/sessions/{id_}/line_items"
    )


@post("/v1/checkout/sessions/{session}", "metadata")
def update(call: Call, id_: str) -> Doc:
    checkout = call.session.need("checkout.session", id_)
    apply(checkout, call, "metadata")
    return checkout


@post("/v1/checkout/sessions/{session}/expire")
def expire(call: Call, id_: str) -> Doc:
    checkout = call.session.need("checkout.session", id_)
    if checkout["status"] != "open":
        raise ApiError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{checkout['status']}.",
            param="session",
        )
    _expire(call.session, checkout)
    return checkout


def _expire(session: Session, checkout: Doc) -> None:
    checkout.update(status="expired", url=None)
    emit(session, "checkout.session.expired", checkout)


def find_open(session: Session, id_: str) -> Doc:
    checkout = session.get(id_)
    if checkout is None or checkout["object"] != "checkout.session":
        raise missing("checkout session", id_)
    return checkout


NEXT_DUE["checkout.session"] = lambda checkout: (
    checkout["expires_at"] if checkout["status"] == "open" and not checkout.get("_clock") else None
)
clock.ACTIONS["checkout.session"] = lambda session, checkout, now: _expire(session, checkout)
