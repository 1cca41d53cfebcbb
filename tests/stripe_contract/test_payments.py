"""Payment intents, charges, refunds, disputes."""

from __future__ import annotations

import pytest
import stripe

CARD = {"currency": "usd", "payment_method_types": ["card"], "confirm": True}


def test_payment__good_card__succeeds_with_charge_and_fee(api):
    intent = api.payment_intents.create(
        {"amount": 5000, "payment_method": "pm_card_visa", "expand": ["latest_charge.balance_transaction"], **CARD}
    )

    assert (intent.status, intent.amount_received) == ("succeeded", 5000)
    entry = intent.latest_charge.balance_transaction
    assert (entry.amount, entry.net) == (5000, 5000 - entry.fee)


@pytest.mark.parametrize(
    ("card", "code", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_payment__declined__402_with_the_reason(api, card, code, reason):
    with pytest.raises(stripe.CardError) as refused:
        api.payment_intents.create({"amount": 5000, "payment_method": card, **CARD})

    error = refused.value.json_body["error"]
    assert (refused.value.http_status, error["code"], error["type"]) == (402, code, "card_error")
    assert error.get("decline_code") in (reason, None)
    intent = api.payment_intents.retrieve(error["payment_intent"]["id"], {"expand": ["latest_charge"]})
    assert (intent.status, intent.latest_charge.status, intent.last_payment_error.code) == (
        "requires_payment_method",
        "failed",
        code,
    )


def test_payment__needs_authentication__requires_action(api):
    intent = api.payment_intents.create(
        {
            "amount": 5000,
            "payment_method": "pm_card_threeDSecure2Required",
            "return_url": "https://example.com/back",
            **CARD,
        }
    )

    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")


def test_payment__authentication_needed_off_session__refused(api, world):
    customer = world.customer(card=None)
    api.payment_methods.attach("pm_card_authenticationRequired", {"customer": customer.id})
    method = api.customers.payment_methods.list(customer.id).data[0]

    with pytest.raises(stripe.CardError) as refused:
        api.payment_intents.create(
            {"amount": 5000, "customer": customer.id, "payment_method": method.id, "off_session": True, **CARD}
        )

    assert refused.value.code == "authentication_required"


def test_payment__captured_later__in_part(api):
    intent = api.payment_intents.create(
        {"amount": 5000, "payment_method": "pm_card_visa", "capture_method": "manual", **CARD}
    )
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 5000)

    captured = api.payment_intents.capture(intent.id, {"amount_to_capture": 3000})

    assert (captured.status, captured.amount_received) == ("succeeded", 3000)


def test_payment__canceled__cannot_be_confirmed(api):
    intent = api.payment_intents.create({"amount": 5000, "currency": "usd", "payment_method_types": ["card"]})
    assert api.payment_intents.cancel(intent.id, {"cancellation_reason": "duplicate"}).status == "canceled"

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})

    assert refused.value.code == "payment_intent_unexpected_state"


def test_payment__redirecting_methods_allowed_without_return_url__refused(api):
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        api.payment_intents.create(
            {"amount": 5000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )


def test_refund__in_parts__never_more_than_was_paid(api):
    intent = api.payment_intents.create({"amount": 5000, "payment_method": "pm_card_visa", **CARD})
    api.refunds.create({"payment_intent": intent.id, "amount": 2000, "reason": "requested_by_customer"})

    with pytest.raises(stripe.InvalidRequestError):
        api.refunds.create({"payment_intent": intent.id, "amount": 3001})
    api.refunds.create({"charge": intent.latest_charge})

    charge = api.charges.retrieve(intent.latest_charge, {"expand": ["refunds"]})
    assert (charge.amount_refunded, charge.refunded, len(charge.refunds.data)) == (5000, True, 2)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.refunds.create({"charge": charge.id})
    assert refused.value.code == "charge_already_refunded"


def test_dispute__winning_evidence__is_won(api):
    intent = api.payment_intents.create({"amount": 5000, "payment_method": "pm_card_createDispute", **CARD})
    dispute = api.disputes.list({"payment_intent": intent.id}).data[0]
    assert (dispute.status, dispute.amount) == ("needs_response", 5000)

    api.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})

    assert api.disputes.retrieve(dispute.id).status == "won"


def test_real_card_number__refused_in_test_mode(api, sandbox_only):
    with pytest.raises(stripe.CardError) as refused:
        api.payment_methods.create(
            {"type": "card", "card": {"number": "4929000000006", "exp_month": 12, "exp_year": 2034, "cvc": "123"}}
        )

    assert refused.value.json_body["error"].get("decline_code") == "test_mode_live_card"
