"""Refunds."""

from __future__ import annotations

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import charges

serve_list("/v1/refunds", "refund", "charge created payment_intent")
serve_object("/v1/refunds/{refund}", "refund")


@post("/v1/refunds", "amount charge payment_intent reason metadata")
def create(call: Call) -> Doc:
    session = call.session
    if "payment_intent" in call:
        intent = session.need("payment_intent", call["payment_intent"], "payment_intent")
        if not intent["latest_charge"] or intent["status"] != "succeeded":
            raise ApiError("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
        charge = session.need("charge", intent["latest_charge"])
    elif "charge" in call:
        charge = session.need("charge", call["charge"], "charge")
    else:
        raise required("charge")
    refund = refund_charge(session, charge, call.get("amount"), call.get("reason"))
    refund["metadata"] = merged_metadata({}, call.get("metadata", {}))
    return refund


def refund_charge(session: Session, charge: Doc, amount: int | None, reason: str | None) -> Doc:
    """Give money back; at most what is left of the charge."""
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise ApiError(f"Charge {charge['id']} has not been captured and cannot be refunded.", param="charge")
    if charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if amount is None else amount
    if not 0 < amount <= left:
        raise ApiError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            code="amount_too_large",
            param="amount",
        )
    refund = session.add(
        "refund",
        session.now(charge),
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        destination_details={
            "type": "card",
            "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
        },
        metadata={},
        payment_intent=charge["payment_intent"],
        reason=reason,
        status="succeeded",
        _clock=charge.get("_clock"),
    )
    refund["balance_transaction"] = charges.balance_entry(session, charge, "refund", -amount, 0, refund["id"])["id"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    emit(session, "refund.created", refund)
    emit(session, "charge.refunded", charge)
    return refund


@post("/v1/refunds/{refund}", "metadata")
def update(call: Call, id_: str) -> Doc:
    refund = call.session.need("refund", id_)
    apply(refund, call, "metadata")
    emit(call.session, "refund.updated", refund)
    return refund
