"""Items of subscriptions."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, missing, required
from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.periods import boundary, next_boundary
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, complete
from apps.stripe_sandbox.objects import coupons, prices, taxes

LIMIT = 20


def price_for(session: Session, given: dict[str, Any], currency: str | None, param: str) -> Doc:
    """The price that parameters name or describe, as it goes into an item."""
    if "price_data" in given:
        price = prices.add(session, given["price_data"])
    elif "price" in given:
        price = session.need("price", given["price"], f"{param}[price]")
    else:
        raise required(f"{param}[price]")
    if price["type"] != "recurring":
        raise ApiError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{param}[price]",
        )
    if not price["active"] and "price_data" not in given:
        raise ApiError(
            "The price specified is inactive. This field only accepts active prices.", param=f"{param}[price]"
        )
    return embedded(session, prices.in_currency(price, currency or price["currency"], f"{param}[price]"))


def embedded(session: Session, price: Doc) -> Doc:
    product = session.get(price["product"])
    return {**price, "_product_name": product and product["name"]}


def is_metered(item: Doc) -> bool:
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def interval_of(item: Doc) -> tuple[str, int]:
    recurring = item["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


def quantity_of(item: Doc) -> int:
    return int(item.get("quantity") or 0)


def new(session: Session, subscription: Doc, given: dict[str, Any], period: tuple[int, int], param: str) -> Doc:
    """A new item, not yet in its subscription's list."""
    price = price_for(session, given, subscription["currency"], param)
    metered = price["recurring"]["usage_type"] == "metered"
    if metered and given.get("quantity") is not None:
        raise ApiError("Metered prices have no quantity: it comes from usage.", param=f"{param}[quantity]")
    customer = session.need("customer", subscription["customer"])
    item = complete(
        {
            "id": new_id("subscription_item"),
            "object": "subscription_item",
            "created": session.now(subscription),
            "current_period_start": period[0],
            "current_period_end": period[1],
            "discounts": coupons.redeem_all(session, given.get("discounts"), customer, subscription["currency"]),
            "metadata": merged_metadata({}, given.get("metadata") or {}),
            "plan": complete(prices.plan_of(price)),
            "price": price,
            "quantity": None if metered else _quantity(given.get("quantity"), param),
            "subscription": subscription["id"],
            "tax_rates": taxes.find_all(session, given.get("tax_rates"), f"{param}[tax_rates]"),
        }
    )
    if metered:
        del item["quantity"]
    session.link(item["id"], subscription["id"])
    return item


def _quantity(given: int | None, param: str) -> int:
    quantity = 1 if given is None else given
    if not 0 <= quantity <= 999_999_999:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=f"{param}[quantity]")
    return quantity


def change(session: Session, subscription: Doc, item: Doc, given: dict[str, Any], param: str) -> None:
    """Change an item in place as parameters say."""
    if "price" in given or "price_data" in given:
        item["price"] = price_for(session, given, subscription["currency"], param)
        item["plan"] = complete(prices.plan_of(item["price"]))
        if is_metered(item):
            item.pop("quantity", None)
        else:
            item.setdefault("quantity", 1)
    if given.get("quantity") is not None:
        if is_metered(item):
            raise ApiError("Metered prices have no quantity: it comes from usage.", param=f"{param}[quantity]")
        item["quantity"] = _quantity(given["quantity"], param)
    if "metadata" in given:
        item["metadata"] = merged_metadata(item["metadata"], given["metadata"])
    if "tax_rates" in given:
        item["tax_rates"] = taxes.find_all(session, given["tax_rates"], f"{param}[tax_rates]")
    if "discounts" in given:
        customer = session.need("customer", subscription["customer"])
        item["discounts"] = coupons.redeem_all(session, given["discounts"], customer, subscription["currency"])


def find(subscription: Doc, id_: str, param: str) -> Doc:
    for item in subscription["items"]["data"]:
        if item["id"] == id_:
            found: Doc = item
            return found
    raise missing("subscription item", id_, param)


def check_together(items: list[Doc]) -> None:
    """What can stand side by side in one subscription here."""
    if not items:
        raise ApiError("A subscription must have at least one item.", param="items")
    if len(items) > LIMIT:
        raise ApiError(f"A subscription can have at most {LIMIT} items.", param="items")
    if len({item["price"]["id"] for item in items}) < len(items):
        raise ApiError("Cannot add multiple subscription items with the same price.", param="items")
    if len({interval_of(item) for item in items}) > 1:
        raise ApiError(
            "The sandbox serves one billing interval per subscription; Stripe's flexible billing mode serves several.",
            code="sandbox_not_served",
            param="items",
        )


def period_end(subscription: Doc, item: Doc, after: int) -> int:
    return next_boundary(subscription["billing_cycle_anchor"], *interval_of(item), after)


def full_period_start(subscription: Doc, item: Doc) -> int:
    """Where the item's period would have begun if it were a whole one: a first one may be shorter."""
    anchor, (interval, count) = subscription["billing_cycle_anchor"], interval_of(item)
    end = item["current_period_end"]
    before = boundary(anchor, interval, count, _number_of(anchor, interval, count, end) - 1)
    return before if next_boundary(anchor, interval, count, before) == end else int(item["current_period_start"])


def _number_of(anchor: int, interval: str, count: int, moment: int) -> int:
    """How many periods after the anchor a boundary is, or the next one is."""
    shortest = count * 86_400 * {"day": 1, "week": 7, "month": 28, "year": 365}[interval]
    number = (moment - anchor) // shortest + 1
    while boundary(anchor, interval, count, number) > moment:
        number -= 1
    return number if boundary(anchor, interval, count, number) == moment else number + 1
