"""How open invoices are paid: at once, by retries, by due date."""

from __future__ import annotations

from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.errors import ApiError, CardError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.session import NEXT_DUE, Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.invoices import lifecycle
from apps.stripe_sandbox.objects import payment_intents

DAY = 86_400
RETRY_DAYS = (3, 5, 7)
"""Days from one attempt to the next; `/_sandbox/settings` changes them."""
MISSING_CARD = (
    "This customer has no attached payment source or default payment method. Please consider adding a default payment "
    "method."
)


def retry_days(session: Session) -> list[int]:
    return list(session.setting("retry days", RETRY_DAYS))


def default_method(session: Session, invoice: Doc) -> Doc | None:
    """The card that an invoice is paid with: its own, its subscription's, its customer's."""
    subscription = session.get(invoice.get("_subscription"))
    customer = session.need("customer", invoice["customer"])
    for id_ in (
        invoice["default_payment_method"],
        subscription["default_payment_method"] if subscription else None,
        customer["invoice_settings"]["default_payment_method"],
    ):
        method = session.get(id_)
        if method and method["customer"] == invoice["customer"]:
            return method
    return None


def collect(session: Session, invoice: Doc, method: Doc | None = None, *, by_hand: bool = False) -> CardError | None:
    """Try to collect an open invoice; the refusal, if there was one. By hand, only the first attempt counts and moves
    the retries."""
    counts = not by_hand or invoice["attempt_count"] == 0
    if counts:
        invoice["attempt_count"] += 1
    invoice["attempted"] = True
    method = method or default_method(session, invoice)
    intent = session.need("payment_intent", invoice["_payment_intent"])
    if method is None:
        error: CardError | None = CardError(MISSING_CARD, code="resource_missing")
        outcome: str | CardError = error  # type: ignore[assignment]
    else:
        outcome = payment_intents.attempt(session, intent, method, off_session=True, wait=True)
        error = outcome if isinstance(outcome, CardError) else None
    if invoice["status"] == "paid":
        return None
    if counts:
        _schedule_retry(session, invoice)
    _mark_delinquent(session, invoice)
    emit(session, "invoice.updated", invoice)
    if outcome == "requires_action":
        emit(session, "invoice.payment_action_required", invoice)
    emit(session, "invoice.payment_failed", invoice)
    subscription = session.get(invoice.get("_subscription"))
    if subscription:
        lifecycle.SUBSCRIPTION_LISTENERS["failed"](session, subscription, invoice)
    return error or CardError(
        "This payment requires additional user action before it can be completed successfully.",
        code="invoice_payment_intent_requires_action",
    )


def _schedule_retry(session: Session, invoice: Doc) -> None:
    """The first payment of a subscription is never tried again by itself."""
    if not invoice["auto_advance"] or invoice["billing_reason"] == "subscription_create":
        return
    days = retry_days(session)
    number = invoice["attempt_count"] - 1
    invoice["next_payment_attempt"] = session.now(invoice) + days[number] * DAY if number < len(days) else None


def _mark_delinquent(session: Session, invoice: Doc) -> None:
    customer = session.need("customer", invoice["customer"])
    if not customer["delinquent"] and invoice["billing_reason"] != "subscription_create":
        customer["delinquent"] = True
        emit(session, "customer.updated", customer)


def pay(session: Session, invoice: Doc, method: Doc | None, *, out_of_band: bool = False) -> None:
    """Pay now, on demand."""
    if invoice["status"] == "draft":
        lifecycle.finalize(session, invoice)
        if invoice["status"] == "paid":
            return
    if invoice["status"] == "paid":
        raise ApiError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "void":
        raise ApiError("This invoice is void and cannot be paid.")
    if out_of_band:
        lifecycle.mark_paid(session, invoice, out_of_band=True)
        return
    error = collect(session, invoice, method, by_hand=True)
    if error:
        raise error


def _intent_succeeded(session: Session, intent: Doc) -> None:
    """An intent that belongs to an invoice pays it, whoever confirmed it."""
    invoice = session.get(intent.get("_invoice"))
    if invoice is None or invoice["status"] not in ("open", "uncollectible"):
        return
    subscription = session.get(invoice.get("_subscription"))
    if (
        subscription
        and intent["setup_future_usage"]
        and subscription["default_payment_method"] != intent["payment_method"]
    ):
        subscription["default_payment_method"] = intent["payment_method"]
        if subscription["status"] not in ("incomplete",):
            emit(session, "customer.subscription.updated", subscription)
    lifecycle.mark_paid(session, invoice)


payment_intents.WHEN_PAID.append(_intent_succeeded)


def _next_due(invoice: Doc) -> int | None:
    if invoice["status"] == "draft":
        return invoice["automatically_finalizes_at"] if invoice["auto_advance"] else None
    if invoice["status"] != "open":
        return None
    moments = [invoice["next_payment_attempt"]]
    if invoice["collection_method"] == "send_invoice" and not invoice.get("_overdue"):
        moments.append(invoice["due_date"])
    return min((moment for moment in moments if moment is not None), default=None)


def _act(session: Session, invoice: Doc, now: int) -> None:
    """Finalize, try again, or tell that it is overdue: whichever is due."""
    if invoice["status"] == "draft":
        _finalize_by_itself(session, invoice)
    elif invoice["collection_method"] == "send_invoice":
        invoice["_overdue"] = True
        emit(session, "invoice.overdue", invoice)
        subscription = session.get(invoice.get("_subscription"))
        if subscription:
            lifecycle.SUBSCRIPTION_LISTENERS["failed"](session, subscription, invoice)
    else:
        invoice["next_payment_attempt"] = None
        collect(session, invoice)


def _finalize_by_itself(session: Session, invoice: Doc) -> None:
    """After the hour of grace; what a paused collection makes of it is decided here."""
    subscription = session.get(invoice.get("_subscription"))
    pause = subscription and subscription["pause_collection"]
    if (pause and pause["behavior"] == "keep_as_draft") or (subscription and subscription["status"] == "unpaid"):
        invoice.update(automatically_finalizes_at=None, auto_advance=False)
        emit(session, "invoice.updated", invoice)
        return
    if invoice["automatic_tax"]["enabled"] and invoice["automatic_tax"]["status"] != "complete":
        invoice["automatically_finalizes_at"] = None
        emit(session, "invoice.finalization_failed", invoice)
        return
    lifecycle.finalize(session, invoice)
    if invoice["status"] != "open":
        return
    if pause:
        (lifecycle.void if pause["behavior"] == "void" else lifecycle.mark_uncollectible)(session, invoice)
    elif invoice["collection_method"] == "charge_automatically":
        collect(session, invoice)
    else:
        emit(session, "invoice.sent", invoice)


NEXT_DUE["invoice"] = _next_due
clock.ACTIONS["invoice"] = _act
