"""Coupons, promotion codes, and the discounts that come of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.changes import apply, currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, known, missing, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.periods import boundary
from apps.stripe_sandbox.core.presenting import REFRESHERS
from apps.stripe_sandbox.core.routes import Call, delete, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

serve_list("/v1/coupons", "coupon", "created")
serve_object("/v1/coupons/{coupon}", "coupon")
serve_list(
    "/v1/promotion_codes",
    "promotion_code",
    "active created customer",
    coupon=lambda session, id_: ("parent = ?", (id_,)),
    code=lambda session, code: ("lookup = ? COLLATE NOCASE", (code,)),
)
serve_object("/v1/promotion_codes/{promotion_code}", "promotion_code")


@post(
    "/v1/coupons",
    "id name amount_off percent_off currency duration duration_in_months max_redemptions redeem_by metadata applies_to",
)
def create(call: Call) -> Doc:
    if ("amount_off" in call) == ("percent_off" in call):
        raise ApiError(
            "You must pass either `percent_off` or `amount_off`, and only one of them.",
            param="percent_off",
            code="parameter_missing",
        )
    if "amount_off" in call and "currency" not in call:
        raise required("currency")
    if "percent_off" in call and not 0 < call["percent_off"] <= 100:
        raise ApiError("Invalid percent_off: must be greater than 0 and at most 100", param="percent_off")
    duration = call.get("duration", "once")
    if (duration == "repeating") != ("duration_in_months" in call):
        raise ApiError(
            "`duration_in_months` goes with the duration `repeating`, and with no other.", param="duration_in_months"
        )
    if "id" in call and call.session.get(call["id"]):
        raise ApiError("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = call.session.add(
        "coupon",
        call.session.time,
        id=call.get("id") or random_text(8),
        amount_off=call.get("amount_off"),
        percent_off=call.get("percent_off"),
        currency=currency(call["currency"]) if "currency" in call else None,
        duration=duration,
        duration_in_months=call.get("duration_in_months"),
        max_redemptions=call.get("max_redemptions"),
        metadata=merged_metadata({}, call.get("metadata", {})),
        name=call.get("name"),
        redeem_by=call.get("redeem_by"),
        times_redeemed=0,
        valid=True,
        _applies_to=call.get("applies_to"),
    )
    emit(call.session, "coupon.created", coupon)
    return coupon


@post("/v1/coupons/{coupon}", "name metadata")
def update(call: Call, id_: str) -> Doc:
    coupon = call.session.need("coupon", id_)
    apply(coupon, call, "name metadata")
    emit(call.session, "coupon.updated", coupon)
    return coupon


@delete("/v1/coupons/{coupon}")
def remove(call: Call, id_: str) -> Doc:
    coupon = call.session.need("coupon", id_)
    coupon["deleted"] = True
    emit(call.session, "coupon.deleted", coupon)
    return {"id": id_, "object": "coupon", "deleted": True}


def _refresh(session: Session, coupon: Doc) -> None:
    expired = coupon["redeem_by"] is not None and coupon["redeem_by"] <= session.time
    used_up = coupon["max_redemptions"] is not None and coupon["times_redeemed"] >= coupon["max_redemptions"]
    coupon["valid"] = not expired and not used_up


REFRESHERS["coupon"] = _refresh


@post(
    "/v1/promotion_codes",
    "active code customer expires_at max_redemptions metadata promotion restrictions{first_time_transaction}",
)
def create_code(call: Call) -> Doc:
    session = call.session
    if "coupon" not in call["promotion"]:
        raise required("promotion[coupon]")
    coupon = session.need("coupon", call["promotion"]["coupon"], "promotion[coupon]")
    code = call.get("code") or random_text(8, CODE_LETTERS)
    for other in session.find("promotion_code", "lookup = ? COLLATE NOCASE", code):
        if other["active"] and other["customer"] in (None, call.get("customer")):
            raise ApiError(
                "An active promotion code with this code already exists.", code="resource_already_exists", param="code"
            )
    given = call.get("restrictions", {})
    promotion_code = session.add(
        "promotion_code",
        session.time,
        active=call.get("active", True),
        code=code,
        customer=session.need("customer", call["customer"], "customer")["id"] if "customer" in call else None,
        expires_at=call.get("expires_at"),
        max_redemptions=call.get("max_redemptions"),
        metadata=merged_metadata({}, call.get("metadata", {})),
        promotion={"coupon": coupon["id"], "type": "coupon"},
        restrictions={
            "first_time_transaction": given.get("first_time_transaction", False),
            "minimum_amount": None,
            "minimum_amount_currency": None,
        },
        times_redeemed=0,
        _coupon=coupon["id"],
    )
    emit(session, "promotion_code.created", promotion_code)
    return promotion_code


@post("/v1/promotion_codes/{promotion_code}", "active metadata")
def update_code(call: Call, id_: str) -> Doc:
    promotion_code = call.session.need("promotion_code", id_)
    apply(promotion_code, call, "active metadata")
    emit(call.session, "promotion_code.updated", promotion_code)
    return promotion_code


def usable_code(session: Session, id_: str, customer: Doc | None, param: str) -> Doc:
    """A promotion code that this customer may redeem now."""
    code = session.need("promotion_code", id_, param)
    coupon = session.need("coupon", code["promotion"]["coupon"], param)
    _refresh(session, coupon)
    now = session.now(customer)
    expired = code["expires_at"] is not None and code["expires_at"] <= now
    used_up = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    if not code["active"] or expired or used_up or not coupon["valid"]:
        raise ApiError(
            f"This promotion code cannot be redeemed because it is not active: {code['code']}",
            code="promotion_code_not_active" if not code["active"] else "coupon_expired",
            param=param,
        )
    if code["customer"] and (customer is None or code["customer"] != customer["id"]):
        raise ApiError("This promotion code cannot be redeemed because it belongs to another customer.", param=param)
    if code["restrictions"]["first_time_transaction"] and customer and _has_paid(session, customer):
        raise ApiError(
            "This promotion code cannot be redeemed because the associated customer has prior transactions.",
            param=param,
        )
    return code


def _has_paid(session: Session, customer: Doc) -> bool:
    return bool(session.find("charge", "customer = ? AND body ->> '$.paid'", customer["id"], limit=1))


def redeem_all(
    session: Session, given: list[dict[str, Any]] | None, customer: Doc, code: str, **owner: Any
) -> list[str]:
    """Discounts from parameters in the shape of `discounts`: ids of new ones, or of those that are kept."""
    ids = []
    for number, item in enumerate(given or []):
        if item.get("discount"):
            if session.get(item["discount"]) is None:
                raise missing("discount", item["discount"], f"discounts[{number}][discount]")
            ids.append(item["discount"])
        elif item.get("promotion_code"):
            promotion_code = usable_code(
                session, item["promotion_code"], customer, f"discounts[{number}][promotion_code]"
            )
            coupon = session.need("coupon", promotion_code["promotion"]["coupon"])
            promotion_code["times_redeemed"] += 1
            ids.append(redeem(session, coupon, customer, code, promotion_code=promotion_code["id"], **owner)["id"])
        elif item.get("coupon"):
            coupon = session.need("coupon", item["coupon"], f"discounts[{number}][coupon]")
            ids.append(redeem(session, coupon, customer, code, **owner)["id"])
        else:
            raise required(f"discounts[{number}][coupon]")
    return ids


def redeem(session: Session, coupon: Doc, customer: Doc, code: str, **owner: Any) -> Doc:
    """A discount for a customer, in a currency."""
    _refresh(session, coupon)
    if not coupon["valid"]:
        raise ApiError(f"Coupon expired: {coupon['id']}", code="coupon_expired", param="coupon")
    if coupon["currency"] not in (None, code):
        raise ApiError(f"The coupon's currency, {coupon['currency']}, does not match {code}.", param="coupon")
    now = session.now(customer)
    months = coupon["duration_in_months"]
    discount = session.add(
        "discount",
        0,
        customer=customer["id"],
        end=boundary(now, "month", 1, months) if months else None,
        source={"coupon": coupon["id"], "type": "coupon"},
        start=now,
        _clock=customer.get("test_clock"),
        **owner,
    )
    coupon["times_redeemed"] += 1
    emit(session, "customer.discount.created", discount)
    return discount


def active(session: Session, ids: list[str], now: int) -> list[str]:
    """The discounts that still hold."""
    return [
        id_
        for id_ in ids
        if (discount := session.get(id_))
        and not discount.get("deleted")
        and (discount["end"] is None or now < discount["end"])
    ]


def coupon_of(session: Session, discount_id: str) -> Doc:
    """The coupon behind a discount, also when it was deleted since."""
    discount = known(session.get(discount_id))
    return known(session.get(discount["source"]["coupon"]))


def applies_to(coupon: Doc, product: str | None) -> bool:
    only = (coupon.get("_applies_to") or {}).get("products")
    return not only or product in only


def remaining_share(session: Session, ids: list[str], product: str) -> Fraction:
    """What part of a price percentages leave: 25 % off leaves three quarters."""
    share = Fraction(1)
    for id_ in ids:
        coupon = coupon_of(session, id_)
        if coupon["percent_off"] and applies_to(coupon, product):
            share *= 1 - Fraction(str(coupon["percent_off"])) / 100
    return share


def end_discount(session: Session, id_: str) -> None:
    """A discount that is over: used once, or taken away."""
    discount = session.get(id_)
    if discount and not discount.get("deleted"):
        discount["end"] = discount["end"] or session.now(session.get(discount["customer"]))
        emit(session, "customer.discount.deleted", discount)
