"""How a subscription goes on by itself: trial, periods, dunning, pause."""

from __future__ import annotations

from collections.abc import Callable

from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.periods import DAY
from apps.stripe_sandbox.core.session import NEXT_DUE, Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lifecycle, payment
from apps.stripe_sandbox.subscriptions import billing, ending, items

HOUR = 3600
WARN_TRIAL = 3 * DAY
WARN_RENEWAL = 3 * DAY
EXPIRES_AFTER = 23 * HOUR
RENEWING = ("active", "past_due", "unpaid")
Step = Callable[[Session, Doc], None]


def steps(subscription: Doc) -> list[tuple[int, Step]]:
    """What comes by itself and when; of what comes at the same time, the first."""
    status, period_end = subscription["status"], subscription["items"]["data"][0]["current_period_end"]
    coming: list[tuple[int | None, Step]] = []
    if status == "incomplete":
        coming.append((subscription["created"] + EXPIRES_AFTER, expire))
    if status in ("trialing", *RENEWING, "paused"):
        coming.append((subscription["cancel_at"], ending.at_chosen_time))
    if status == "trialing":
        warned = subscription.get("_trial_warned")
        coming.append((None if warned else subscription["trial_end"] - WARN_TRIAL, warn_of_trial_end))
        coming.append((subscription["trial_end"], end_trial))
    if status in RENEWING:
        pause = subscription["pause_collection"]
        coming.append((pause and pause["resumes_at"], end_pause))
        told = subscription.get("_upcoming_told") == period_end or subscription["cancel_at_period_end"]
        coming.append((None if told else period_end - WARN_RENEWAL, tell_upcoming))
        coming.append((period_end, renew))
    return [(moment, step) for moment, step in coming if moment is not None]


def _next_due(subscription: Doc) -> int | None:
    return min((moment for moment, _ in steps(subscription)), default=None)


def _act(session: Session, subscription: Doc, now: int) -> None:
    schedule = session.get(subscription["schedule"])
    if schedule and not schedule.get("_stuck"):
        due = NEXT_DUE["subscription_schedule"](schedule)
        if due is not None and due <= now:
            # A phase begins before the period that begins with it is billed.
            clock.act(session, schedule["id"], now)
            return
    earliest = min(steps(subscription), key=lambda step: step[0])
    earliest[1](session, subscription)


NEXT_DUE["subscription"] = _next_due
clock.ACTIONS["subscription"] = _act


def expire(session: Session, subscription: Doc) -> None:
    """A first payment that never came."""
    subscription["status"] = "incomplete_expired"
    subscription["ended_at"] = session.now(subscription)
    emit(session, "customer.subscription.updated", subscription)
    invoice = session.get(subscription["latest_invoice"])
    if invoice and invoice["status"] == "open":
        lifecycle.void(session, invoice)


def warn_of_trial_end(session: Session, subscription: Doc) -> None:
    subscription["_trial_warned"] = True
    emit(session, "customer.subscription.trial_will_end", subscription)


def end_trial(session: Session, subscription: Doc, immediately: str | None = None) -> None:
    """Into the first paid period, or whatever is wished for without a card."""
    wish = ((subscription["trial_settings"] or {}).get("end_behavior") or {}).get(
        "missing_payment_method", "create_invoice"
    )
    by_card = subscription["collection_method"] == "charge_automatically"
    if by_card and wish != "create_invoice" and not has_card(session, subscription):
        if wish == "cancel":
            ending.end(session, subscription, session.now(subscription), None)
        else:
            subscription["status"] = "paused"
            emit(session, "customer.subscription.paused", subscription)
        return
    subscription["status"] = "active"
    renew(session, subscription, immediately)


def has_card(session: Session, subscription: Doc) -> bool:
    customer = session.need("customer", subscription["customer"])
    return bool(subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"])


def renew(session: Session, subscription: Doc, immediately: str | None = None) -> None:
    """The next period: usage of the last one, the price of the new one, whatever waited."""
    start, end = _move_on(subscription)
    subscription["_free_until_anchor"] = False
    invoice = billing.new_invoice(session, subscription, "subscription_cycle", period_start=start, period_end=end)
    billing.add_usage(session, invoice, subscription, start, end)
    billing.add_periods(session, invoice, subscription)
    lifecycle.add_pending_items(session, invoice)
    emit(session, "customer.subscription.updated", subscription)
    if immediately:
        billing.bill_now(session, subscription, invoice, immediately)
        return
    if subscription["status"] == "unpaid":
        invoice["auto_advance"] = False
    else:
        invoice["automatically_finalizes_at"] = session.now(subscription) + HOUR
    lifecycle.publish(session, invoice)


def _move_on(subscription: Doc) -> tuple[int, int]:
    """Advance the items' periods; the one that is over."""
    start = subscription["items"]["data"][0]["current_period_start"]
    end = subscription["items"]["data"][0]["current_period_end"]
    for item in subscription["items"]["data"]:
        item["current_period_start"] = end
        item["current_period_end"] = items.period_end(subscription, item, end)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = subscription["items"]["data"][0]["current_period_end"]
    return start, end


def tell_upcoming(session: Session, subscription: Doc) -> None:
    """`invoice.upcoming`, with the invoice as it would be."""
    from apps.stripe_sandbox.subscriptions import preview  # noqa: PLC0415 - a preview renews

    period_end = subscription["items"]["data"][0]["current_period_end"]
    length = period_end - subscription["items"]["data"][0]["current_period_start"]
    subscription["_upcoming_told"] = period_end
    if length > WARN_RENEWAL and not session.rehearsing:
        invoice = preview.next_invoice(session, subscription["id"], {})
        emit(session, "invoice.upcoming", invoice)


def end_pause(session: Session, subscription: Doc) -> None:
    subscription["pause_collection"] = None
    emit(session, "customer.subscription.updated", subscription)


def resume(session: Session, subscription: Doc, *, restart: bool) -> None:
    """Take a subscription up again that paused for want of a card."""
    now = session.now(subscription)
    if not restart:
        subscription["status"] = "active"
        emit(session, "customer.subscription.resumed", subscription)
        return
    subscription.update(billing_cycle_anchor=now, _resuming=True)
    for item in subscription["items"]["data"]:
        item["current_period_start"] = now
        item["current_period_end"] = items.period_end(subscription, item, now)
    invoice = billing.new_invoice(session, subscription, "subscription_cycle")
    billing.add_periods(session, invoice, subscription)
    lifecycle.add_pending_items(session, invoice)
    billing.bill_now(session, subscription, invoice, "allow_incomplete")


# -- what an invoice's fate means for its subscription


def _invoice_paid(session: Session, subscription: Doc, invoice: Doc) -> None:
    status = subscription["status"]
    if status == "paused" and subscription.get("_resuming"):
        subscription.update(status="active", _resuming=False)
        emit(session, "customer.subscription.resumed", subscription)
    elif status == "incomplete" or (
        status in ("past_due", "unpaid") and invoice["id"] == subscription["latest_invoice"]
    ):
        subscription["status"] = "active"
        emit(session, "customer.subscription.updated", subscription)


def _invoice_failed(session: Session, subscription: Doc, invoice: Doc) -> None:
    """Past due at the first refusal; after the last retry, what the account's settings say."""
    if subscription["status"] in ("active", "trialing"):
        subscription["status"] = "past_due"
        emit(session, "customer.subscription.updated", subscription)
    if subscription["status"] != "past_due" or invoice["collection_method"] != "charge_automatically":
        return
    if invoice["next_payment_attempt"] is None and invoice["attempt_count"] > len(payment.retry_days(session)):
        _give_up(session, subscription)


def _give_up(session: Session, subscription: Doc) -> None:
    wish = session.setting("after retries", "cancel")
    if wish == "cancel":
        ending.end(session, subscription, session.now(subscription), "payment_failed")
    elif wish == "unpaid":
        subscription["status"] = "unpaid"
        emit(session, "customer.subscription.updated", subscription)


def _invoice_voided(session: Session, subscription: Doc, invoice: Doc) -> None:
    if invoice["id"] != subscription["latest_invoice"]:
        return
    if subscription["status"] == "incomplete":
        subscription.update(status="incomplete_expired", ended_at=session.now(subscription))
        emit(session, "customer.subscription.updated", subscription)
    elif subscription["status"] in ("past_due", "unpaid"):
        subscription["status"] = "active"
        emit(session, "customer.subscription.updated", subscription)


lifecycle.SUBSCRIPTION_LISTENERS.update(paid=_invoice_paid, failed=_invoice_failed, voided=_invoice_voided)
