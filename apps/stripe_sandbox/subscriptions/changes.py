"""Changes of subscriptions: items, dates, payment; and what has to be billed or credited for them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from apps.stripe_sandbox.core.changes import merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, missing, not_served
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.money import period_amount
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lifecycle
from apps.stripe_sandbox.objects import coupons, meters, taxes
from apps.stripe_sandbox.subscriptions import billing, creation, cycle, items, proration

ALWAYS_ALLOWED = {"metadata", "cancellation_details"}
BILLED = ("active", "past_due", "unpaid")


@dataclass
class Change:
    """What a change of items does to money."""

    moment: int
    replaced: list[Doc] = field(default_factory=list)
    added: list[Doc] = field(default_factory=list)
    restarts: bool = False


def update(session: Session, subscription: Doc, given: dict[str, Any]) -> None:
    """All that one request changes, told by one event, and the invoice that it leads to."""
    _check_open(subscription, given)
    before = copy.deepcopy(subscription["items"]["data"])
    _change_settings(session, subscription, given)
    _change_ending(session, subscription, given)
    _change_pause(subscription, given)
    change = Change(_moment(session, subscription, given))
    if "items" in given:
        _change_items(session, subscription, given["items"], change)
    if "add_invoice_items" in given:
        billing.add_extra_items(session, subscription, given["add_invoice_items"])
    behavior = given.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        raise not_served("`pending_if_incomplete`", "payment_behavior")
    if "trial_end" in given and _change_trial(session, subscription, given["trial_end"], behavior):
        return
    _settle(session, subscription, before, given, change, behavior)


def _check_open(subscription: Doc, given: dict[str, Any]) -> None:
    if subscription["status"] in ("canceled", "incomplete_expired") and set(given) - ALWAYS_ALLOWED:
        raise ApiError("A canceled subscription can only update its cancellation_details and metadata.")


def _change_settings(session: Session, subscription: Doc, given: dict[str, Any]) -> None:
    _change_billing(session, subscription, given)
    if given.get("default_payment_method"):
        method = session.get(given["default_payment_method"])
        if method is None or method.get("customer") != subscription["customer"]:
            raise missing("PaymentMethod", given["default_payment_method"], "default_payment_method")
    for name in ("default_payment_method", "description", "days_until_due", "collection_method", "trial_settings"):
        if name in given:
            subscription[name] = given[name]
    if "metadata" in given:
        subscription["metadata"] = merged_metadata(subscription["metadata"], given["metadata"])
    if "payment_settings" in given:
        subscription["payment_settings"] = creation.payment_settings(
            given["payment_settings"], subscription["payment_settings"]
        )


def _change_billing(session: Session, subscription: Doc, given: dict[str, Any]) -> None:
    """What the sums of coming invoices depend on."""
    customer = session.need("customer", subscription["customer"])
    if "automatic_tax" in given:
        subscription["automatic_tax"] = creation.automatic_tax(given["automatic_tax"], customer)
    if "default_tax_rates" in given:
        subscription["default_tax_rates"] = taxes.find_all(session, given["default_tax_rates"], "default_tax_rates")
    if "discounts" in given:
        _change_discounts(session, subscription, customer, given["discounts"])


def _change_discounts(session: Session, subscription: Doc, customer: Doc, given: list[dict[str, Any]] | None) -> None:
    before = subscription["discounts"]
    subscription["discounts"] = coupons.redeem_all(
        session, given, customer, subscription["currency"], subscription=subscription["id"]
    )
    for id_ in before:
        if id_ not in subscription["discounts"]:
            coupons.end_discount(session, id_)


def _change_ending(session: Session, subscription: Doc, given: dict[str, Any]) -> None:
    details = subscription["cancellation_details"]
    if "cancellation_details" in given:
        details.update(given["cancellation_details"])
    at = given.get("cancel_at") if "cancel_at" in given else None
    if isinstance(at, str):
        raise not_served("named moments in `cancel_at`", "cancel_at")
    if given.get("cancel_at_period_end") or at:
        if at and at <= session.now(subscription):
            raise ApiError("Invalid timestamp: must be in the future.", param="cancel_at")
        end = subscription["items"]["data"][0]["current_period_end"]
        subscription.update(cancel_at_period_end=not at, cancel_at=at or end, canceled_at=session.now(subscription))
        details["reason"] = "cancellation_requested"
    elif given.get("cancel_at_period_end") is False or "cancel_at" in given:
        subscription.update(cancel_at_period_end=False, cancel_at=None, canceled_at=None)
        details["reason"] = None


def _change_pause(subscription: Doc, given: dict[str, Any]) -> None:
    if "pause_collection" in given:
        pause = given["pause_collection"]
        subscription["pause_collection"] = pause and {
            "behavior": pause["behavior"],
            "resumes_at": pause.get("resumes_at"),
        }


def _moment(session: Session, subscription: Doc, given: dict[str, Any]) -> int:
    moment = given.get("proration_date")
    if moment is None:
        return session.now(subscription)
    item = subscription["items"]["data"][0]
    if not item["current_period_start"] <= moment <= item["current_period_end"]:
        raise ApiError("Cannot specify `proration_date` outside of the current period.", param="proration_date")
    return int(moment)


def _change_items(session: Session, subscription: Doc, given: list[dict[str, Any]], change: Change) -> None:
    current = subscription["items"]["data"]
    period = (change.moment, current[0]["current_period_end"])
    for number, parameters in enumerate(given):
        param = f"items[{number}]"
        if "id" not in parameters:
            item = items.new(session, subscription, parameters, period, param)
            item["current_period_start"] = current[0]["current_period_start"]
            current.append(item)
            change.added.append(item)
            continue
        item = items.find(subscription, parameters["id"], f"{param}[id]")
        old = copy.deepcopy(item)
        if parameters.get("deleted"):
            _check_usage(session, subscription, item, parameters, param)
            current.remove(item)
        else:
            items.change(session, subscription, item, parameters, param)
        if parameters.get("deleted") or (old["price"]["id"], old.get("quantity")) != (
            item["price"]["id"],
            item.get("quantity"),
        ):
            change.replaced.append(old)
            change.added += [] if parameters.get("deleted") else [item]
    items.check_together(current)


def _check_usage(session: Session, subscription: Doc, item: Doc, parameters: dict[str, Any], param: str) -> None:
    if not items.is_metered(item) or parameters.get("clear_usage"):
        return
    meter = item["price"]["recurring"]["meter"]
    if meters.usage(session, meter, subscription["customer"], item["current_period_start"], item["current_period_end"]):
        raise ApiError(
            f"Subscription item {item['id']} cannot be deleted because it has usage. Pass `clear_usage=true` to clear "
            f"it.",
            param=f"{param}[clear_usage]",
        )


def _change_trial(session: Session, subscription: Doc, end: int | str, behavior: str) -> bool:
    """Move the end of the trial, or end it now; whether that has settled everything."""
    now = session.now(subscription)
    if end == "now":
        if subscription["status"] != "trialing":
            return False
        subscription.update(trial_end=now, billing_cycle_anchor=now)
        for item in subscription["items"]["data"]:
            item["current_period_end"] = now
        cycle.end_trial(session, subscription, immediately=behavior)
        return True
    if int(end) <= now:
        raise ApiError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    if subscription["status"] not in ("trialing", "active"):
        raise not_served("a new trial for a subscription that is not active", "trial_end")
    subscription.update(
        status="trialing",
        trial_end=end,
        billing_cycle_anchor=end,
        _trial_warned=False,
        trial_start=subscription["trial_start"] if subscription["status"] == "trialing" else now,
    )
    for item in subscription["items"]["data"]:
        item["current_period_end"] = end
    return False


def _settle(
    session: Session, subscription: Doc, before: list[Doc], given: dict[str, Any], change: Change, behavior: str
) -> None:
    """Credit and charge what has changed; start a new period where that is asked for or follows."""
    prorates = given.get("proration_behavior", "create_prorations")
    billed = subscription["status"] in BILLED
    change.restarts = billed and _restarts(subscription, before, given)
    if billed and prorates != "none":
        _prorate(session, subscription, before, change)
    if change.restarts:
        _restart(subscription, change.moment)
    touched = bool(change.replaced or change.added)
    invoice = None
    if change.restarts or (billed and touched and prorates == "always_invoice"):
        invoice = _invoice(session, subscription, before, change)
    emit(session, "customer.subscription.updated", subscription)
    if invoice:
        invoice["parent"]["subscription_details"]["subscription_proration_date"] = given.get("proration_date")
        billing.bill_now(session, subscription, invoice, behavior)


def _prorate(session: Session, subscription: Doc, before: list[Doc], change: Change) -> None:
    for old in before if change.restarts else change.replaced:
        proration.credit(session, subscription, old, change.moment)
    for new in [] if change.restarts else change.added:
        proration.charge(session, subscription, new, change.moment)


def _invoice(session: Session, subscription: Doc, before: list[Doc], change: Change) -> Doc | None:
    """The invoice that the change leads to at once, if there is anything on it."""
    previous = subscription["latest_invoice"]
    invoice = billing.new_invoice(session, subscription, "subscription_update")
    if change.restarts:
        billing.add_usage(session, invoice, subscription, before[0]["current_period_start"], change.moment)
        billing.add_periods(session, invoice, subscription)
    lifecycle.add_pending_items(session, invoice)
    if invoice["lines"]["data"]:
        return invoice
    session.remove(invoice)
    subscription["latest_invoice"] = previous
    return None


def _restarts(subscription: Doc, before: list[Doc], given: dict[str, Any]) -> bool:
    """A new anchor, another interval, or the step from free to paid begins a new period."""
    after = subscription["items"]["data"]
    if given.get("billing_cycle_anchor") == "now":
        return True
    if items.interval_of(before[0]) != items.interval_of(after[0]):
        return True
    licensed = [item for item in before if not items.is_metered(item)]
    return bool(licensed) and "items" in given and _cost(before) == 0 < _cost(after)


def _cost(all_items: list[Doc]) -> int:
    return sum(
        period_amount(item["price"], items.quantity_of(item)) for item in all_items if not items.is_metered(item)
    )


def _restart(subscription: Doc, moment: int) -> None:
    subscription.update(billing_cycle_anchor=moment, _upcoming_told=None)
    for item in subscription["items"]["data"]:
        item["current_period_start"] = moment
        item["current_period_end"] = items.period_end(subscription, item, moment)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = subscription["items"]["data"][0]["current_period_end"]
