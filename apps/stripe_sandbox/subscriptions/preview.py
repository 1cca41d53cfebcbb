"""Previews of invoices: the real thing is done and taken back, so that a preview equals the charge."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.errors import ApiError, required
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, public
from apps.stripe_sandbox.invoices import items as invoice_items
from apps.stripe_sandbox.invoices import lifecycle, totals
from apps.stripe_sandbox.objects import coupons
from apps.stripe_sandbox.subscriptions import changes, creation, cycle, ending, schedules

DETAILS = (
    "subscription_details{items{id price price_data quantity deleted clear_usage metadata tax_rates discounts} "
    "billing_cycle_anchor cancel_now cancel_at_period_end cancel_at default_tax_rates proration_behavior "
    "proration_date trial_end}"
)


@post(
    "/v1/invoices/create_preview",
    f"customer currency subscription discounts automatic_tax{{enabled}} {DETAILS} "
    "invoice_items{amount currency description discountable metadata period price quantity tax_rates "
    "unit_amount_decimal}",
)
def create_preview(call: Call) -> Doc:
    session = call.session
    subscription_id = call.get("subscription")
    customer_id = call.get("customer")
    if subscription_id:
        subscription = session.need("subscription", subscription_id, "subscription")
        if customer_id not in (None, subscription["customer"]):
            raise ApiError("The subscription belongs to another customer.", param="customer")
        return next_invoice(session, subscription_id, call.params)
    if not customer_id:
        raise required("customer")
    return _without_subscription(session, customer_id, call.params)


def next_invoice(session: Session, subscription_id: str, given: dict[str, Any]) -> Doc:
    """The invoice that a change leads to at once, or else the next one by itself."""
    details = dict(given.get("subscription_details") or {})
    with session.rehearsal():
        subscription = session.need("subscription", subscription_id)
        _add_items(session, session.need("customer", subscription["customer"]), given, subscription_id)
        before = subscription["latest_invoice"]
        if details.pop("cancel_now", False):
            prorates = details.get("proration_behavior", "create_prorations") != "none"
            ending.end(
                session,
                subscription,
                details.get("proration_date") or session.now(subscription),
                None,
                prorate=prorates,
                invoice_now=True,
            )
        elif details:
            changes.update(session, subscription, {**details, "payment_behavior": "default_incomplete"})
        subscription = session.need("subscription", subscription_id)
        if subscription["latest_invoice"] == before:
            _run_to_next(session, subscription)
        if subscription["latest_invoice"] == before:
            raise ApiError("No upcoming invoices for customer", code="invoice_upcoming_none", status=404)
        return _shown(session, session.need("invoice", subscription["latest_invoice"]), given)


def _run_to_next(session: Session, subscription: Doc) -> None:
    """Renew, as the clock would at the end of the period."""
    if subscription["status"] in ("canceled", "incomplete", "incomplete_expired", "paused"):
        return
    moment, before = subscription["items"]["data"][0]["current_period_end"], subscription["latest_invoice"]
    schedule = session.get(subscription["schedule"])
    if schedule:
        schedules.enter_early(session, schedule, moment)
        if subscription["status"] == "canceled" or subscription["latest_invoice"] != before:
            return
    if subscription["cancel_at"] and subscription["cancel_at"] <= moment:
        ending.at_chosen_time(session, subscription)
    elif subscription["status"] == "trialing":
        cycle.end_trial(session, subscription)
    else:
        cycle.renew(session, subscription)


def _without_subscription(session: Session, customer_id: str, given: dict[str, Any]) -> Doc:
    """A subscription that might be, or the items that wait."""
    details = given.get("subscription_details") or {}
    with session.rehearsal():
        customer = session.need("customer", customer_id, "customer")
        _add_items(session, customer, given, None)
        if details.get("items"):
            subscription = creation.create(
                session,
                {
                    "customer": customer_id,
                    "payment_behavior": "default_incomplete",
                    **{
                        name: value
                        for name, value in details.items()
                        if name
                        in ("items", "trial_end", "proration_behavior", "default_tax_rates", "billing_cycle_anchor")
                        and value != "now"
                    },
                    **{name: given[name] for name in ("currency", "discounts", "automatic_tax") if name in given},
                },
            )
            return _shown(session, session.need("invoice", subscription["latest_invoice"]), {})
        invoice = lifecycle.draft(session, customer, "upcoming", given.get("currency") or customer["currency"] or "usd")
        lifecycle.add_pending_items(session, invoice)
        if not invoice["lines"]["data"]:
            raise ApiError("No upcoming invoices for customer", code="invoice_upcoming_none", status=404)
        return _shown(session, invoice, given)


def _add_items(session: Session, customer: Doc, given: dict[str, Any], subscription: str | None) -> None:
    for item in given.get("invoice_items") or []:
        parameters = {**item, "subscription": subscription}
        if "price" in item:
            parameters["pricing"] = {"price": item["price"]}
        invoice_items.add(session, customer, parameters)


def _shown(session: Session, invoice: Doc, given: dict[str, Any]) -> Doc:
    """The invoice as a draft that has no existence."""
    customer = session.need("customer", invoice["customer"])
    if "discounts" in given:
        invoice["discounts"] = coupons.redeem_all(session, given["discounts"], customer, invoice["currency"])
    if "automatic_tax" in given:
        invoice["automatic_tax"]["enabled"] = given["automatic_tax"]["enabled"]
    starting = invoice["starting_balance"]
    if invoice["status"] == "draft":
        totals.compute(session, invoice)
        starting = invoice["starting_balance"]
    shown: Doc = public(invoice)
    shown.update(
        id=f"upcoming_{invoice['id']}",
        status="draft",
        number=None,
        hosted_invoice_url=None,
        invoice_pdf=None,
        starting_balance=starting,
        amount_paid=0,
        amount_remaining=shown["amount_due"],
        attempted=False,
        attempt_count=0,
        effective_at=None,
        billing_reason="upcoming" if invoice["billing_reason"] == "subscription_cycle" else invoice["billing_reason"],
    )
    shown["status_transitions"] = dict.fromkeys(shown["status_transitions"])
    return shown
