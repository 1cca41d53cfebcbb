"""The API of subscriptions and their items."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.errors import ApiError, missing
from apps.stripe_sandbox.core.lists import PAGE, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.routes import Call, delete, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.subscriptions import changes, creation, cycle, ending, items

DISCOUNT = "discounts{coupon discount promotion_code}"
ITEM = f"price price_data quantity metadata tax_rates {DISCOUNT}"
COMMON = (
    "add_invoice_items{price quantity tax_rates metadata} automatic_tax{enabled} cancel_at cancel_at_period_end "
    "collection_method "
    f"days_until_due default_payment_method default_tax_rates description {DISCOUNT} metadata off_session "
    f"payment_behavior "
    "payment_settings{save_default_payment_method payment_method_types} proration_behavior trial_end trial_settings"
)


def _status(session: Session, wanted: str) -> tuple[str, tuple[Any, ...]]:
    field = "body ->> '$.status'"
    if wanted == "all":
        return "1", ()
    return (f"{field} IN ('canceled', 'incomplete_expired')", ()) if wanted == "ended" else (f"{field} = ?", (wanted,))


def _by_price(session: Session, price: str) -> tuple[str, tuple[Any, ...]]:
    return "EXISTS (SELECT 1 FROM json_each(body, '$.items.data') WHERE value ->> '$.price.id' = ?)", (price,)


def _period(name: str) -> Any:
    signs = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

    def condition(session: Session, given: Any) -> tuple[str, tuple[Any, ...]]:
        field = f"body ->> '$.items.data[0].{name}'"
        if isinstance(given, dict):
            return " AND ".join(f"{field} {signs[key]} ?" for key in given), tuple(given.values())
        return f"{field} = ?", (given,)

    return condition


serve_list(
    "/v1/subscriptions",
    "subscription",
    "collection_method created customer test_clock",
    status=_status,
    price=_by_price,
    current_period_start=_period("current_period_start"),
    current_period_end=_period("current_period_end"),
)
serve_object("/v1/subscriptions/{subscription_exposed_id}", "subscription")


@post(
    "/v1/subscriptions",
    f"customer currency items{{{ITEM}}} billing_cycle_anchor billing_cycle_anchor_config billing_mode trial_from_plan "
    f"trial_period_days {COMMON}",
)
def create(call: Call) -> Doc:
    if "customer" not in call:
        raise ApiError("Missing required param: customer.", code="parameter_missing", param="customer")
    return creation.create(call.session, call.params)


@post(
    "/v1/subscriptions/{subscription_exposed_id}",
    f"items{{id deleted clear_usage {ITEM}}} billing_cycle_anchor cancellation_details{{comment feedback}} "
    f"pause_collection proration_date {COMMON}",
)
def update(call: Call, id_: str) -> Doc:
    subscription = call.session.need("subscription", id_)
    changes.update(call.session, subscription, call.params)
    return subscription


@delete("/v1/subscriptions/{subscription_exposed_id}", "cancellation_details{comment feedback} invoice_now prorate")
def cancel(call: Call, id_: str) -> Doc:
    session = call.session
    subscription = session.need("subscription", id_)
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise missing("subscription", id_)
    if "cancellation_details" in call:
        subscription["cancellation_details"].update(call["cancellation_details"])
    subscription["canceled_at"] = None
    prorate, invoice_now = bool(call.get("prorate")), bool(call.get("invoice_now"))
    ending.end(
        session,
        subscription,
        session.now(subscription),
        "cancellation_requested",
        prorate=prorate,
        invoice_now=invoice_now,
    )
    return subscription


@post("/v1/subscriptions/{subscription}/resume", "billing_cycle_anchor")
def resume(call: Call, id_: str) -> Doc:
    subscription = call.session.need("subscription", id_)
    if subscription["status"] != "paused":
        raise ApiError("Only paused subscriptions can be resumed.")
    cycle.resume(call.session, subscription, restart=call.get("billing_cycle_anchor", "now") == "now")
    return subscription


@delete("/v1/subscriptions/{subscription_exposed_id}/discount")
def delete_discount(call: Call, id_: str) -> Doc:
    subscription = call.session.need("subscription", id_)
    if not subscription["discounts"]:
        raise missing("discount", id_)
    discount = call.session.need("discount", subscription["discounts"][0])
    changes.update(
        call.session, subscription, {"discounts": [{"discount": other} for other in subscription["discounts"][1:]]}
    )
    return {**discount, "deleted": True}


# -- items


@get("/v1/subscription_items", f"{PAGE} subscription")
def list_items(call: Call) -> Doc:
    subscription = call.session.need("subscription", call["subscription"], "subscription")
    return slice_page(call, subscription["items"]["data"], "/v1/subscription_items")


def _owner(session: Session, item: str) -> Doc:
    subscription = session.owner(item)
    if subscription is None or not any(row["id"] == item for row in subscription["items"]["data"]):
        raise missing("subscription_item", item)
    return subscription


@get("/v1/subscription_items/{item}")
def retrieve_item(call: Call, item: str) -> Doc:
    return items.find(_owner(call.session, item), item, "id")


HOW = "payment_behavior proration_behavior proration_date"


def _split(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    how = {name: call[name] for name in HOW.split() if name in call}
    return how, {
        name: value for name, value in call.params.items() if name not in (*HOW.split(), "subscription", "off_session")
    }


@post("/v1/subscription_items", f"subscription {ITEM} {HOW}")
def create_item(call: Call) -> Doc:
    subscription = call.session.need("subscription", call["subscription"], "subscription")
    how, item = _split(call)
    changes.update(call.session, subscription, {**how, "items": [item]})
    created: Doc = subscription["items"]["data"][-1]
    return created


@post("/v1/subscription_items/{item}", f"{ITEM} {HOW} off_session")
def update_item(call: Call, id_: str) -> Doc:
    subscription = _owner(call.session, id_)
    how, item = _split(call)
    changes.update(call.session, subscription, {**how, "items": [{**item, "id": id_}]})
    return items.find(subscription, id_, "id")


@delete("/v1/subscription_items/{item}", f"clear_usage {HOW}")
def delete_item(call: Call, id_: str) -> Doc:
    how, item = _split(call)
    changes.update(call.session, _owner(call.session, id_), {**how, "items": [{**item, "id": id_, "deleted": True}]})
    return {"id": id_, "object": "subscription_item", "deleted": True}
