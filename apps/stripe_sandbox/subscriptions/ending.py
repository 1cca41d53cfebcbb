"""The end of subscriptions."""

from __future__ import annotations

from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lifecycle
from apps.stripe_sandbox.subscriptions import billing, items, proration

HOUR = 3600


def at_chosen_time(session: Session, subscription: Doc) -> None:
    """At the end of the period, or at `cancel_at`: what was used is still billed."""
    end(
        session,
        subscription,
        subscription["cancel_at"],
        subscription["cancellation_details"]["reason"],
        bill_usage=True,
    )


def end(
    session: Session,
    subscription: Doc,
    moment: int,
    reason: str | None,
    *,
    bill_usage: bool = False,
    prorate: bool = False,
    invoice_now: bool = False,
) -> None:
    """Cancel for good."""
    if prorate and subscription["status"] in ("active", "past_due"):
        for item in subscription["items"]["data"]:
            proration.credit(session, subscription, item, moment)
    subscription.update(
        status="canceled", ended_at=moment, canceled_at=subscription["canceled_at"] or moment, _resuming=False
    )
    subscription["cancellation_details"]["reason"] = reason
    _stop_collecting(session, subscription)
    if bill_usage or invoice_now:
        _bill_the_rest(session, subscription, moment)
    emit(session, "customer.subscription.deleted", subscription)


def _stop_collecting(session: Session, subscription: Doc) -> None:
    """Drafts and open invoices stay as they are: nobody tries them any more."""
    for invoice in session.find(
        "invoice", "parent = ? AND body ->> '$.status' IN ('draft', 'open')", subscription["id"]
    ):
        if invoice["auto_advance"] or invoice["next_payment_attempt"]:
            invoice.update(auto_advance=False, next_payment_attempt=None, automatically_finalizes_at=None)
            emit(session, "invoice.updated", invoice)


def _bill_the_rest(session: Session, subscription: Doc, moment: int) -> None:
    start = subscription["items"]["data"][0]["current_period_start"]
    previous = subscription["latest_invoice"]
    invoice = billing.new_invoice(session, subscription, "subscription_cycle", period_start=start, period_end=moment)
    if any(items.is_metered(item) for item in subscription["items"]["data"]):
        billing.add_usage(session, invoice, subscription, start, moment)
    lifecycle.add_pending_items(session, invoice)
    if not any(row["amount"] for row in invoice["lines"]["data"]):
        _drop(session, subscription, invoice, previous)
        return
    invoice["automatically_finalizes_at"] = session.now(subscription) + HOUR
    lifecycle.publish(session, invoice)


def _drop(session: Session, subscription: Doc, invoice: Doc, previous: str) -> None:
    for row in invoice["lines"]["data"]:
        details = (
            (row["parent"] or {}).get("subscription_item_details")
            or (row["parent"] or {}).get("invoice_item_details")
            or {}
        )
        item = session.get(details.get("invoice_item"))
        if item:
            item["invoice"] = None
    session.remove(invoice)
    subscription["latest_invoice"] = previous
