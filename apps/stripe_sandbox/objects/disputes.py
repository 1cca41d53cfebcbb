"""Disputes: opened by cards that are made for it, won or lost by what the evidence says."""

from __future__ import annotations

from apps.stripe_sandbox.core.changes import apply
from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import cards, charges

FEE = 1500
DAYS_TO_ANSWER = 9
CLOSED = ("won", "lost")

serve_list("/v1/disputes", "dispute", "charge created payment_intent")
serve_object("/v1/disputes/{dispute}", "dispute")


def open_if_marked(session: Session, charge: Doc, card: cards.Card) -> None:
    """Dispute a charge whose card is made for that."""
    if not card.disputed:
        return
    dispute = session.add(
        "dispute",
        session.now(charge),
        amount=charge["amount"],
        charge=charge["id"],
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence_details={
            "due_by": session.now(charge) + DAYS_TO_ANSWER * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=False,
        payment_intent=charge["payment_intent"],
        payment_method_details={
            "type": "card",
            "card": {
                "brand": card.brand,
                "case_type": "chargeback",
                "network": card.brand,
                "network_reason_code": "10",
            },
        },
        reason=card.disputed,
        status="needs_response",
        _clock=charge.get("_clock"),
    )
    charge["disputed"] = True
    dispute["balance_transactions"] = [
        charges.balance_entry(session, charge, "adjustment", -charge["amount"], FEE, dispute["id"])
    ]
    emit(session, "charge.dispute.created", dispute)
    emit(session, "charge.updated", charge)
    emit(session, "charge.dispute.funds_withdrawn", dispute)


@post(
    "/v1/disputes/{dispute}",
    "evidence{uncategorized_text customer_name customer_email_address product_description customer_purchase_ip} "
    "metadata submit",
)
def update(call: Call, id_: str) -> Doc:
    """Stripe decides test disputes by the text `winning_evidence` or `losing_evidence`; others stay under review."""
    session = call.session
    dispute = session.need("dispute", id_)
    if dispute["status"] in CLOSED and "evidence" in call:
        raise ApiError("This dispute is already closed.")
    apply(dispute, call, "metadata")
    if "evidence" in call:
        dispute["evidence"].update(call["evidence"])
        dispute["evidence_details"]["has_evidence"] = True
        if call.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            dispute["status"] = "under_review"
    emit(session, "charge.dispute.updated", dispute)
    text = dispute["evidence"].get("uncategorized_text")
    if dispute["status"] == "under_review" and text in ("winning_evidence", "losing_evidence"):
        _close(session, dispute, won=text == "winning_evidence")
    return dispute


@post("/v1/disputes/{dispute}/close")
def close(call: Call, id_: str) -> Doc:
    dispute = call.session.need("dispute", id_)
    if dispute["status"] in CLOSED:
        raise ApiError("This dispute is already closed.")
    _close(call.session, dispute, won=False)
    return dispute


def _close(session: Session, dispute: Doc, *, won: bool) -> None:
    dispute["status"] = "won" if won else "lost"
    emit(session, "charge.dispute.closed", dispute)
    if won:
        charge = session.need("charge", dispute["charge"])
        dispute["balance_transactions"].append(
            charges.balance_entry(session, charge, "adjustment", dispute["amount"], 0, dispute["id"])
        )
        emit(session, "charge.dispute.funds_reinstated", dispute)
