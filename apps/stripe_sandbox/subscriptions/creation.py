"""New subscriptions: trial, first period, first invoice."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import currency, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.periods import DAY, configured_anchor, next_boundary
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.invoices import lifecycle, payment, totals
from apps.stripe_sandbox.objects import coupons, setup_intents, taxes
from apps.stripe_sandbox.subscriptions import billing, items

LONGEST_TRIAL = 2 * 366 * DAY
ANCHOR = {"day_of_month": (1, 31), "month": (1, 12), "hour": (0, 23), "minute": (0, 59), "second": (0, 59)}


def create(session: Session, given: dict[str, Any]) -> Doc:
    """A subscription with its first invoice, collected as `payment_behavior` says."""
    customer = session.need("customer", given["customer"], "customer")
    subscription = _new(session, customer, given)
    _set_periods(session, subscription, given)
    items.check_together(subscription["items"]["data"])
    _set_end(subscription, given)
    if "add_invoice_items" in given:
        billing.add_extra_items(session, subscription, given["add_invoice_items"])
    _start(session, subscription, given.get("payment_behavior", "allow_incomplete"))
    return subscription


def _new(session: Session, customer: Doc, given: dict[str, Any]) -> Doc:
    if not given.get("items"):
        raise required("items")
    method = given.get("default_payment_method")
    if method and (session.get(method) or {}).get("customer") != customer["id"]:
        raise ApiError(
            "The customer does not have a payment method with this ID.",
            code="resource_missing",
            param="default_payment_method",
        )
    sends = given.get("collection_method") == "send_invoice"
    if sends and "days_until_due" not in given:
        raise required("days_until_due")
    subscription = session.add(
        "subscription",
        session.now(customer),
        automatic_tax=automatic_tax(given.get("automatic_tax"), customer),
        billing_cycle_anchor=session.now(customer),
        billing_mode={
            "type": "flexible",
            "flexible": {"proration_discounts": "included"},
            **(given.get("billing_mode") or {}),
        },
        billing_schedules=[],
        cancel_at_period_end=False,
        cancellation_details={"comment": None, "feedback": None, "feedback_option": None, "reason": None},
        collection_method=given.get("collection_method", "charge_automatically"),
        currency=currency(given.get("currency") or _currency_of(session, given["items"][0])),
        customer=customer["id"],
        days_until_due=given.get("days_until_due"),
        default_payment_method=method,
        default_tax_rates=taxes.find_all(session, given.get("default_tax_rates"), "default_tax_rates"),
        description=given.get("description"),
        discounts=[],
        invoice_settings={
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        items=page([], ""),
        metadata=merged_metadata({}, given.get("metadata") or {}),
        payment_settings=payment_settings(given.get("payment_settings")),
        start_date=session.now(customer),
        status="incomplete",
        test_clock=customer["test_clock"],
        trial_settings=given.get("trial_settings") or {"end_behavior": {"missing_payment_method": "create_invoice"}},
    )
    if subscription["billing_mode"]["type"] == "classic":
        subscription["billing_mode"]["flexible"] = None
    if customer["currency"] not in (None, subscription["currency"]):
        raise ApiError(
            f"You cannot combine currencies on a single customer. This customer has had a subscription, coupon, or "
            f"invoice item with currency {customer['currency']}.",
            param="currency",
        )
    subscription["items"]["url"] = f"/v1/subscription_items?subscription={subscription['id']}"
    subscription["discounts"] = coupons.redeem_all(
        session, given.get("discounts"), customer, subscription["currency"], subscription=subscription["id"]
    )
    return subscription


def automatic_tax(given: dict[str, Any] | None, customer: Doc) -> Doc:
    enabled = bool(given and given["enabled"])
    if enabled and taxes.location(customer) is None:
        raise ApiError(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.",
            code="customer_tax_location_invalid",
            param="automatic_tax[enabled]",
        )
    return {"disabled_reason": None, "enabled": enabled, "liability": {"type": "self"} if enabled else None}


def payment_settings(given: dict[str, Any] | None, old: Doc | None = None) -> Doc:
    given = given or {}
    if given.get("payment_method_types") not in (None, ["card"]):
        raise not_served("payment methods other than cards", "payment_settings[payment_method_types]")
    settings = old or {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    }
    return {**settings, **given}


def _currency_of(session: Session, item: dict[str, Any]) -> str:
    if "price_data" in item:
        return str(item["price_data"]["currency"])
    return str(session.need("price", item["price"], "items[0][price]")["currency"]) if "price" in item else "usd"


def _set_periods(session: Session, subscription: Doc, given: dict[str, Any]) -> None:
    now = subscription["created"]
    trial_end = _trial_end(session, now, given)
    first = items.price_for(session, given["items"][0], subscription["currency"], "items[0]")
    anchor = _anchor(now, given, first)
    if trial_end:
        subscription.update(trial_start=now, trial_end=trial_end, status="trialing")
    subscription["billing_cycle_anchor"] = anchor or trial_end or now
    interval = first["recurring"]
    natural = next_boundary(subscription["billing_cycle_anchor"], interval["interval"], interval["interval_count"], now)
    end = trial_end or (anchor if anchor and anchor > now else natural)
    subscription["_free_until_anchor"] = bool(anchor) and given.get("proration_behavior") == "none"
    subscription["billing_cycle_anchor_config"] = given.get("billing_cycle_anchor_config")
    subscription["items"]["data"] = [
        items.new(session, subscription, item, (now, end), f"items[{number}]")
        for number, item in enumerate(given["items"])
    ]


def _trial_end(session: Session, now: int, given: dict[str, Any]) -> int | None:
    end = given.get("trial_end")
    if end == "now":
        return None
    days = given.get("trial_period_days")
    if days is None and given.get("trial_from_plan") and "price" in given["items"][0]:
        price = session.need("price", given["items"][0]["price"], "items[0][price]")
        days = price["recurring"] and price["recurring"]["trial_period_days"]
    if end is not None and given.get("trial_period_days") is not None:
        raise ApiError("You can only set one of `trial_end` and `trial_period_days`.", param="trial_end")
    moment = int(end) if end is not None else now + int(days) * DAY if days else None
    if moment is not None and not now < moment <= now + LONGEST_TRIAL:
        raise ApiError(
            "Invalid timestamp: must be an integer Unix timestamp in the future, at most two years away.",
            param="trial_end",
        )
    return moment


def _anchor(now: int, given: dict[str, Any], price: Doc) -> int | None:
    interval = price["recurring"]
    if "billing_cycle_anchor_config" in given:
        _check_configured(given["billing_cycle_anchor_config"])
        return configured_anchor(now, given["billing_cycle_anchor_config"], interval["interval"])
    anchor = given.get("billing_cycle_anchor")
    if anchor is None:
        return None
    if not now <= anchor <= next_boundary(now, interval["interval"], interval["interval_count"], now):
        raise ApiError(
            "billing_cycle_anchor cannot be later than next natural billing date, nor in the past",
            param="billing_cycle_anchor",
        )
    return int(anchor)


def _check_configured(config: dict[str, int]) -> None:
    for name, (first, last) in ANCHOR.items():
        if not first <= config.get(name, first) <= last:
            raise ApiError(
                f"Invalid {name}: must be from {first} to {last}.", param=f"billing_cycle_anchor_config[{name}]"
            )


def _set_end(subscription: Doc, given: dict[str, Any]) -> None:
    if given.get("cancel_at_period_end"):
        subscription.update(
            cancel_at_period_end=True,
            cancel_at=subscription["items"]["data"][0]["current_period_end"],
            canceled_at=subscription["created"],
        )
        subscription["cancellation_details"]["reason"] = "cancellation_requested"
    elif isinstance(given.get("cancel_at"), int):
        if given["cancel_at"] <= subscription["created"]:
            raise ApiError("Invalid timestamp: must be in the future.", param="cancel_at")
        subscription["cancel_at"] = given["cancel_at"]
    elif given.get("cancel_at"):
        raise not_served("named moments in `cancel_at`", "cancel_at")


def _start(session: Session, subscription: Doc, behavior: str) -> None:
    if behavior == "pending_if_incomplete":
        raise ApiError("Invalid payment_behavior: `pending_if_incomplete` is for updates.", param="payment_behavior")
    by_mail = subscription["collection_method"] == "send_invoice"
    if by_mail and subscription["status"] == "incomplete":
        subscription["status"] = "active"
    invoice = billing.new_invoice(session, subscription, "subscription_create", period_end=subscription["created"])
    billing.add_periods(session, invoice, subscription)
    lifecycle.add_pending_items(session, invoice)
    _ask_for_card(session, subscription, invoice)
    emit(session, "customer.subscription.created", subscription)
    _check_card(session, subscription, invoice, behavior)
    billing.bill_now(session, subscription, invoice, behavior)


def _ask_for_card(session: Session, subscription: Doc, invoice: Doc) -> None:
    """Nothing is due at first: the card for later is asked for by a setup intent."""
    nothing_due = subscription["status"] == "trialing"
    if (
        nothing_due
        and subscription["collection_method"] == "charge_automatically"
        and payment.default_method(session, invoice) is None
    ):
        customer = session.need("customer", subscription["customer"])
        intent = setup_intents.add(session, customer, "off_session", _subscription=subscription["id"])
        subscription["pending_setup_intent"] = intent["id"]
        emit(session, "setup_intent.created", intent)


def _check_card(session: Session, subscription: Doc, invoice: Doc, behavior: str) -> None:
    if (
        behavior == "default_incomplete"
        or subscription["collection_method"] == "send_invoice"
        or subscription["status"] == "trialing"
    ):
        return

    totals.compute(session, invoice)
    if invoice["amount_due"] > 0 and payment.default_method(session, invoice) is None:
        raise ApiError(payment.MISSING_CARD, code="resource_missing")
