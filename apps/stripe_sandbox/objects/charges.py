"""Charges and the entries that they leave in the account's balance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from apps.stripe_sandbox.core.changes import apply
from apps.stripe_sandbox.core.errors import CardError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.presenting import includes
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.objects import cards, payment_methods

FEE_PER_MILLE, FEE_FIXED = 29, 30

serve_list("/v1/charges", "charge", "created customer payment_intent")
serve_object("/v1/charges/{charge}", "charge")
serve_list("/v1/balance_transactions", "balance_transaction", "created currency source type")
serve_object("/v1/balance_transactions/{id}", "balance_transaction")


@post("/v1/charges/{charge}", "description metadata receipt_email")
def update(call: Call, id_: str) -> Doc:
    charge = call.session.need("charge", id_)
    apply(charge, call, "description metadata receipt_email")
    emit(call.session, "charge.updated", charge)
    return charge


@includes("charge", "refunds")
def refunds_of(session: Session, charge: Doc) -> Doc:
    return page(
        session.find("refund", "parent = ?", charge["id"], order="seq DESC"), f"/v1/charges/{charge['id']}/refunds"
    )


def add(session: Session, intent: Doc, method: Doc, error: CardError | None) -> Doc:
    """The charge that an attempt makes, whether it succeeds or fails."""
    code = error.body.get("code") if error else None
    captured = not error and intent["capture_method"] != "manual"
    charge = session.add(
        "charge",
        session.now(intent),
        amount=intent["amount"],
        amount_captured=intent["amount"] if captured else 0,
        billing_details=method["billing_details"],
        calculated_statement_descriptor=intent["statement_descriptor"] or "SANDBOX",
        captured=captured,
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        failure_code=code,
        failure_message=str(error) if error else None,
        fraud_details={},
        metadata=dict(intent["metadata"]),
        outcome=_outcome(error),
        paid=not error,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"type": "card", "card": _card_details(method, intent["amount"])},
        receipt_email=intent["receipt_email"],
        receipt_url=f"{session.setting('url')}/receipts/{random_text(24)}" if not error else None,
        refunded=False,
        statement_descriptor=intent["statement_descriptor"],
        status="failed" if error else "succeeded",
        _clock=intent.get("_clock"),
    )
    if captured:
        settle(session, charge)
    return charge


def _outcome(error: CardError | None) -> Doc:
    return {
        "network_status": "declined_by_network" if error else "approved_by_network",
        "reason": (error.body.get("decline_code") or error.body.get("code")) if error else None,
        "risk_level": "normal",
        "risk_score": 30,
        "seller_message": "The bank did not return any further details with this decline."
        if error
        else "Payment complete.",
        "type": "issuer_declined" if error else "authorized",
    }


def _card_details(method: Doc, amount: int) -> Doc:
    card = method["card"]
    kept = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
        "wallet",
    )
    details: dict[str, Any] = {name: card[name] for name in kept}
    details.update(
        amount_authorized=amount,
        installments=None,
        mandate=None,
        network=card["brand"],
        network_token={"used": False},
        three_d_secure=None,
    )
    if payment_methods.card_of(method).authentication and method.get("_authenticated"):
        details["three_d_secure"] = {
            "authentication_flow": "challenge",
            "result": "authenticated",
            "result_reason": None,
            "version": "2.2.0",
            "electronic_commerce_indicator": "05",
            "exemption_indicator": None,
            "transaction_id": random_text(24),
        }
    return details


def settle(session: Session, charge: Doc) -> None:
    """The charge's money, less the fee, in the balance."""
    amount = charge["amount_captured"]
    fee = amount * FEE_PER_MILLE // 1000 + FEE_FIXED
    entry = balance_entry(session, charge, "charge", amount, fee, charge["id"])
    charge["balance_transaction"] = entry["id"]


def balance_entry(session: Session, charge: Doc, kind: str, amount: int, fee: int, source: str) -> Doc:
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": charge["currency"],
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    return session.add(
        "balance_transaction",
        session.now(charge),
        amount=amount,
        available_on=session.now(charge) + 2 * 86_400,
        balance_type="payments",
        currency=charge["currency"],
        description=charge["description"],
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category="dispute" if kind == "adjustment" else kind,
        source=source,
        status="pending",
        type=kind,
        _clock=charge.get("_clock"),
    )


def decline_of(method: Doc, now: int) -> CardError | None:
    """The refusal that a card answers a charge with: what it is made for, or that its time is over."""
    card, today = payment_methods.card_of(method), datetime.fromtimestamp(now, UTC)
    if (method["card"]["exp_year"], method["card"]["exp_month"]) < (today.year, today.month):
        return CardError(cards.MESSAGES["expired_card"], code="expired_card", decline_code="expired_card")
    if not card.decline:
        return None
    return CardError(cards.message(card.decline, card.reason), code=card.decline, decline_code=card.reason)
