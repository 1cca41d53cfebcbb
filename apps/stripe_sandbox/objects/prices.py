"""Prices: flat, per unit, graduated, volume, metered, in several currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.stripe_sandbox.core.changes import apply, currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc

LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}
LARGEST_AMOUNT = 999_999_999_999

serve_list(
    "/v1/prices",
    "price",
    "active created currency product type",
    lookup_keys=lambda session, keys: (f"lookup IN ({', '.join('?' * len(keys))})", tuple(keys)),
    recurring=lambda session, given: (
        " AND ".join(f"body ->> '$.recurring.{name}' = ?" for name in given) or "1",
        tuple(given.values()),
    ),
)
serve_object("/v1/prices/{price}", "price")


@post(
    "/v1/prices",
    "active billing_scheme currency currency_options lookup_key metadata nickname product product_data recurring "
    "tax_behavior tiers tiers_mode transfer_lookup_key transform_quantity unit_amount unit_amount_decimal",
)
def create(call: Call) -> Doc:
    return add(call.session, call.params)


def add(session: Session, given: dict[str, Any]) -> Doc:
    """A new price, its product with it if need be."""
    from apps.stripe_sandbox.objects import products  # noqa: PLC0415 - each may come with the other

    if "product_data" in given:
        data = {**given["product_data"]}
        metadata = merged_metadata({}, data.pop("metadata", {}))
        product = products.add(session, **data, metadata=metadata)
        emit(session, "product.created", product)
    elif "product" in given:
        product = session.need("product", given["product"], "product")
    else:
        raise required("product")
    price = session.add(
        "price",
        session.time,
        active=given.get("active", True),
        currency=currency(given["currency"]),
        product=product["id"],
        nickname=given.get("nickname"),
        metadata=merged_metadata({}, given.get("metadata", {})),
        tax_behavior=given.get("tax_behavior", "unspecified"),
        **_recurring(session, given),
        **_amounts(given),
    )
    if given.get("transform_quantity"):
        price["transform_quantity"] = given["transform_quantity"]
    options = {currency(code): _option(code, option) for code, option in given.get("currency_options", {}).items()}
    own = {
        "custom_unit_amount": None,
        "tax_behavior": price["tax_behavior"],
        "unit_amount": price["unit_amount"],
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
    price["_currency_options"] = {price["currency"]: own, **options}
    _give_lookup_key(session, price, given)
    emit(session, "price.created", price)
    return price


def _option(code: str, given: dict[str, Any]) -> Doc:
    """What a price costs in another currency."""
    for name in ("tiers", "custom_unit_amount"):
        if name in given:
            raise not_served(f"`{name}` in another currency", f"currency_options[{code}][{name}]")
    amounts = _amounts(given)
    return {
        "custom_unit_amount": None,
        "tax_behavior": given.get("tax_behavior", "unspecified"),
        "unit_amount": amounts["unit_amount"],
        "unit_amount_decimal": amounts["unit_amount_decimal"],
    }


def _recurring(session: Session, given: dict[str, Any]) -> Doc:
    recurring = given.get("recurring")
    if not recurring:
        return {"type": "one_time", "recurring": None}
    count = recurring.get("interval_count", 1)
    if not 1 <= count <= LONGEST[recurring["interval"]]:
        raise ApiError("Invalid interval_count: at most three years.", param="recurring[interval_count]")
    usage = recurring.get("usage_type", "licensed")
    if usage == "metered":
        if not recurring.get("meter"):
            raise ApiError("Metered prices must have a meter.", param="recurring[meter]")
        session.need("billing.meter", recurring["meter"], "recurring[meter]")
    return {
        "type": "recurring",
        "recurring": {
            "interval": recurring["interval"],
            "interval_count": count,
            "meter": recurring.get("meter"),
            "trial_period_days": recurring.get("trial_period_days"),
            "usage_type": usage,
        },
    }


def _amounts(given: dict[str, Any]) -> Doc:
    scheme = given.get("billing_scheme", "per_unit")
    if scheme == "tiered":
        if "tiers" not in given or "tiers_mode" not in given:
            raise required("tiers" if "tiers" not in given else "tiers_mode")
        return {
            "billing_scheme": scheme,
            "tiers_mode": given["tiers_mode"],
            "unit_amount": None,
            "unit_amount_decimal": None,
            "_tiers": _tiers(given["tiers"]),
        }
    if "tiers" in given:
        raise ApiError("You may only specify `tiers` when `billing_scheme` is `tiered`.", param="tiers")
    if ("unit_amount" in given) == ("unit_amount_decimal" in given):
        raise ApiError(
            "You must specify either `unit_amount` or `unit_amount_decimal`, and only one of them.",
            param="unit_amount",
            code="parameter_missing",
        )
    amount, text = _both(given, "unit_amount")
    if text is not None and text.startswith("-"):
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param="unit_amount")
    return {"billing_scheme": scheme, "unit_amount": amount, "unit_amount_decimal": text}


def _both(given: dict[str, Any], name: str) -> tuple[int | None, str | None]:
    """An amount as whole units, if it is whole, and as decimal text."""
    text = str(given[name]) if given.get(name) is not None else given.get(f"{name}_decimal")
    if text is not None and Decimal(text) > LARGEST_AMOUNT:
        raise ApiError(f"Invalid {name}: at most {LARGEST_AMOUNT}", code="parameter_invalid_integer", param=name)
    return (int(text) if text is not None and "." not in text else None), text


def _tiers(given: list[dict[str, Any]]) -> list[Doc]:
    tiers = []
    for number, tier in enumerate(given):
        unit, unit_text = _both(tier, "unit_amount")
        flat, flat_text = _both(tier, "flat_amount")
        if unit_text is None and flat_text is None:
            raise ApiError("Each tier needs a unit amount or a flat amount.", param=f"tiers[{number}]")
        up_to = None if tier["up_to"] == "inf" else tier["up_to"]
        tiers.append(
            {
                "up_to": up_to,
                "unit_amount": unit,
                "unit_amount_decimal": unit_text,
                "flat_amount": flat,
                "flat_amount_decimal": flat_text,
            }
        )
    bounds: list[Any] = [tier["up_to"] for tier in tiers]
    if not bounds or bounds[-1] is not None or None in bounds[:-1] or bounds[:-1] != sorted(set(bounds[:-1])):
        raise ApiError("Tiers must ascend, and only the last one must be up to `inf`.", param="tiers")
    return tiers


def _give_lookup_key(session: Session, price: Doc, given: dict[str, Any]) -> None:
    key = given.get("lookup_key")
    if not key:
        return
    for other in session.find("price", "lookup = ? AND id != ?", key, price["id"]):
        if not given.get("transfer_lookup_key"):
            raise ApiError(
                f"A price (`{other['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        other["lookup_key"] = None
        emit(session, "price.updated", other)
    price["lookup_key"] = key


@post("/v1/prices/{price}", "active lookup_key metadata nickname tax_behavior transfer_lookup_key")
def update(call: Call, id_: str) -> Doc:
    price = call.session.need("price", id_)
    if "tax_behavior" in call and price["tax_behavior"] not in ("unspecified", call["tax_behavior"]):
        raise ApiError("The `tax_behavior` of a price cannot be changed once it is set.", param="tax_behavior")
    _give_lookup_key(call.session, price, call.params)
    apply(price, call, "active metadata nickname tax_behavior")
    emit(call.session, "price.updated", price)
    return price


def in_currency(price: Doc, code: str, param: str) -> Doc:
    """The price as it is in a currency."""
    if price["currency"] == code:
        return price
    option = price.get("_currency_options", {}).get(code)
    if option is None or price["billing_scheme"] == "tiered":
        raise ApiError(
            f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: "
            f"`{code}`.",
            param=param,
        )
    return {**price, "unit_amount": option["unit_amount"], "unit_amount_decimal": option["unit_amount_decimal"]}


def plan_of(price: Doc) -> Doc:
    """The price in the older shape that subscription items still carry."""
    recurring = price["recurring"] or {}
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }
