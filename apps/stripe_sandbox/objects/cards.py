"""Test cards: what each number, token and ready-made payment method does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from apps.stripe_sandbox.core.errors import CardError


@dataclass(frozen=True)
class Card:
    number: str
    brand: str = "visa"
    decline: str | None = None
    """The code of the error when it is charged."""
    reason: str | None = None
    """The decline code within `card_declined`."""
    attaches: bool = True
    """Whether it can be saved although it declines."""
    authentication: str | None = None
    """`always`, or `unless_set_up`: not asked for when it was authenticated for off-session use before."""
    disputed: str | None = None
    country: str = "US"
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]


def _declining(number: str, reason: str, code: str = "card_declined", **more: str) -> Card:
    return Card(number, decline=code, reason=reason, attaches=False)


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("4000056655665556", funding="debit"),
        Card("5555555555554444", "mastercard"),
        Card("5200828282828210", "mastercard", funding="debit"),
        Card("378282246310005", "amex"),
        Card("6011111111111117", "discover"),
        Card("4000002760000016", country="DE"),
        Card("4000000760000002", country="BR"),
        Card("4000008260000000", country="GB"),
        _declining("4000000000000002", "generic_decline"),
        _declining("4000000000009995", "insufficient_funds"),
        _declining("4000000000009987", "lost_card"),
        _declining("4000000000009979", "stolen_card"),
        _declining("4000000000006975", "card_velocity_exceeded"),
        _declining("4100000000000019", "fraudulent"),
        Card("4000000000000069", decline="expired_card", reason="expired_card", attaches=False),
        Card("4000000000000127", decline="incorrect_cvc", reason="incorrect_cvc", attaches=False),
        Card("4000000000000119", decline="processing_error", reason="processing_error", attaches=False),
        Card("4000000000000341", decline="card_declined", reason="generic_decline"),
        Card("4000000000000259", disputed="fraudulent"),
        Card("4000000000002685", disputed="product_not_received"),
        Card("4000002500003155", authentication="unless_set_up"),
        Card("4000002760003184", authentication="always"),
        Card("4000008260003178", authentication="always", decline="card_declined", reason="insufficient_funds"),
    )
}
NAMES = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "de": "4000002760000016",
    "br": "4000000760000002",
    "gb": "4000008260000000",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedFraudulent": "4100000000000019",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "chargeCustomerFail": "4000000000000341",
    "createDispute": "4000000000000259",
    "createDisputeProductNotReceived": "4000000000002685",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "threeDSecure2Required": "4000002760003184",
    "threeDSecureRequired": "4000002760003184",
}
MESSAGES = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
DECLINED = "Your card was declined."


def named(name: str) -> Card | None:
    """The card behind `pm_card_…` or `tok_…`."""
    for prefix in ("pm_card_", "tok_"):
        if name.startswith(prefix):
            number = NAMES.get(name.removeprefix(prefix))
            return CARDS[number] if number else None
    return None


def by_number(number: str) -> Card:
    """The card with this number; a real one is refused."""
    card = CARDS.get(number.replace(" ", ""))
    if card:
        return card
    digits = number.replace(" ", "")
    if not digits.isdigit() or not 12 <= len(digits) <= 19 or not _passes_luhn(digits):
        raise CardError("Your card number is incorrect.", code="incorrect_number", param="number")
    raise CardError(
        "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test "
        "cards, visit: https://stripe.com/docs/testing.",
        code="card_declined",
        decline_code="test_mode_live_card",
    )


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if index % 2 else 1) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def message(code: str, reason: str | None) -> str:
    return MESSAGES.get(code) or MESSAGES.get(reason or "") or DECLINED
