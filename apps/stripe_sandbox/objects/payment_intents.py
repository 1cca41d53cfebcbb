"""Payment intents: confirm, authenticate, capture, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.stripe_sandbox.core.changes import apply, currency, shipping
from apps.stripe_sandbox.core.errors import ApiError, CardError, not_served
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id, random_text
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import cards, charges, disputes, payment_methods

PLAIN = "description metadata receipt_email setup_future_usage statement_descriptor statement_descriptor_suffix"
SERVED = f"{PLAIN} payment_method payment_method_types shipping"
CONFIRM = "off_session return_url error_on_requires_action"
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
SMALLEST = 50

WHEN_PAID: list[Callable[[Session, Doc], None]] = []
"""Told of every intent that succeeds."""

serve_list("/v1/payment_intents", "payment_intent", "created customer")
serve_object("/v1/payment_intents/{intent}", "payment_intent")


@post(
    "/v1/payment_intents",
    f"amount currency customer automatic_payment_methods capture_method confirmation_method confirm {SERVED} {CONFIRM}",
)
def create(call: Call) -> Doc:
    session = call.session
    customer = session.need("customer", call["customer"], "customer") if call.get("customer") else None
    intent = add(session, amount=call["amount"], currency=currency(call["currency"]), customer=customer)
    intent["capture_method"] = call.get("capture_method", "automatic_async")
    if call.get("confirmation_method", "automatic") == "manual":
        raise not_served("confirmation by the server after authentication", "confirmation_method")
    if "payment_method_types" not in call:
        automatic = call.get("automatic_payment_methods", {"enabled": True})
        intent["automatic_payment_methods"] = (
            {"allow_redirects": "always", **automatic} if automatic["enabled"] else None
        )
    _check_amount(intent)
    _change(call, intent)
    emit(session, "payment_intent.created", intent)
    if call.get("confirm"):
        confirm_intent(call, intent)
    elif any(name in call for name in ("off_session", "return_url", "error_on_requires_action")):
        raise ApiError("These parameters can only be used with `confirm`.", param="confirm")
    return intent


def add(session: Session, *, amount: int, currency: str, customer: Doc | None, **fields: Any) -> Doc:
    id_ = new_id("payment_intent")
    return session.add(
        "payment_intent",
        session.now(customer),
        id=id_,
        amount=amount,
        client_secret=f"{id_}_secret_{random_text(25)}",
        currency=currency,
        customer=customer["id"] if customer else None,
        status="requires_payment_method",
        payment_method_options={
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        _clock=customer and customer.get("test_clock"),
        **{
            "capture_method": "automatic",
            "confirmation_method": "automatic",
            "payment_method_types": ["card"],
            **fields,
        },
    )


def _check_amount(intent: Doc) -> None:
    if intent["amount"] < SMALLEST and intent["currency"] == "usd":
        raise ApiError("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
    if intent["amount"] < 1:
        raise ApiError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if intent["amount"] > 99_999_999:
        raise ApiError("Amount must be no more than 999,999.99", code="amount_too_large", param="amount")


def _change(call: Call, intent: Doc) -> None:
    apply(intent, call, PLAIN)
    if "shipping" in call:
        intent["shipping"] = shipping(call["shipping"])
    if call.get("payment_method_types"):
        if call["payment_method_types"] != ["card"]:
            raise not_served("payment methods other than cards", "payment_method_types")
        intent["payment_method_types"] = ["card"]
    if call.get("payment_method") or call.get("payment_method_data"):
        if not call.get("payment_method"):
            raise not_served("`payment_method_data`: its cards have numbers only in the browser", "payment_method_data")
        method = payment_methods.find(call.session, call["payment_method"])
        intent["payment_method"] = usable(intent, method)["id"]
        if intent["status"] == "requires_payment_method":
            intent["status"] = "requires_confirmation"


def usable(intent: Doc, method: Doc) -> Doc:
    """The payment method, unless it is somebody else's."""
    if method["customer"] and method["customer"] != intent["customer"]:
        raise ApiError(
            "The provided PaymentMethod belongs to another Customer. Provide that `customer` along with it."
            if intent["customer"]
            else (
                "The PaymentMethod belongs to a Customer. Please include the Customer in the `customer` parameter on "
                "the PaymentIntent."
            ),
            code="payment_method_customer_mismatch" if intent["customer"] else None,
            param="payment_method",
        )
    return method


@post("/v1/payment_intents/{intent}", f"amount currency customer {SERVED}")
def update(call: Call, id_: str) -> Doc:
    intent = call.session.need("payment_intent", id_)
    if intent["status"] not in CONFIRMABLE and set(call.params) - {"metadata", "description", "receipt_email"}:
        raise _unexpected(intent, "This PaymentIntent cannot be updated")
    if "customer" in call:
        intent["customer"] = call.session.need("customer", call["customer"], "customer")["id"]
    apply(intent, call, "amount")
    if "currency" in call:
        intent["currency"] = currency(call["currency"])
    _check_amount(intent)
    _change(call, intent)
    return intent


@post(
    "/v1/payment_intents/{intent}/confirm",
    f"payment_method payment_method_types receipt_email setup_future_usage shipping capture_method {CONFIRM}",
)
def confirm(call: Call, id_: str) -> Doc:
    intent = call.session.need("payment_intent", id_)
    if intent["status"] not in CONFIRMABLE:
        raise _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded"
            if intent["status"] == "succeeded"
            else "This PaymentIntent cannot be confirmed",
        )
    apply(intent, call, "capture_method")
    _change(call, intent)
    confirm_intent(call, intent)
    return intent


def confirm_intent(call: Call, intent: Doc) -> None:
    """Charge the intent's card, as the parameters of `confirm` want it."""
    session = call.session
    if intent["payment_method"] is None:
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    automatic = intent["automatic_payment_methods"]
    if (
        automatic
        and automatic["allow_redirects"] != "never"
        and not call.get("return_url")
        and not intent.get("_invoice")
    ):
        raise ApiError(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
            "these payment methods might redirect your customer off of your page, you must provide a `return_url`. If "
            "you don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to "
            "`true` and `automatic_payment_methods[allow_redirects]` to `never`."
        )
    method = session.need("payment_method", intent["payment_method"], "payment_method")
    outcome = attempt(
        session, intent, method, off_session=bool(call.get("off_session")), return_url=call.get("return_url")
    )
    if isinstance(outcome, CardError):
        raise _with_intent(session, outcome, intent)
    if outcome == "requires_action" and call.get("error_on_requires_action"):
        error = _authentication_required()
        fail(session, intent, method, error)
        raise _with_intent(session, error, intent)


def attempt(
    session: Session,
    intent: Doc,
    method: Doc,
    *,
    off_session: bool = False,
    wait: bool = False,
    return_url: str | None = None,
) -> str | CardError:
    """Try to take the money: the intent's new status, or why not. `wait` keeps the intent open for the customer's
    authentication."""
    card = payment_methods.card_of(method)
    intent.update(payment_method=method["id"], last_payment_error=None, next_action=None)
    if _must_authenticate(card, method, intent):
        if off_session and not wait:
            error = _authentication_required()
            fail(session, intent, method, error)
            return error
        intent.update(status="requires_action", next_action=next_action(session, intent, return_url))
        emit(session, "payment_intent.requires_action", intent)
        return "requires_action"
    error_or_none = charges.decline_of(method, session.now(intent))
    if error_or_none:
        fail(session, intent, method, error_or_none)
        return error_or_none
    succeed(session, intent, method)
    return str(intent["status"])


def _must_authenticate(card: cards.Card, method: Doc, intent: Doc) -> bool:
    if card.authentication is None or intent.get("_authenticated"):
        return False
    return card.authentication == "always" or not method["_set_up"]


def _authentication_required() -> CardError:
    return CardError(
        cards.MESSAGES["authentication_required"],
        code="authentication_required",
        decline_code="authentication_required",
    )


def next_action(session: Session, intent: Doc, return_url: str | None) -> Doc:
    """Where the customer authenticates: a page of the sandbox stands for the bank's."""
    intent["_return_url"] = return_url
    url = f"{session.setting('url')}/authenticate/{intent['id']}?secret={intent['client_secret']}"
    if return_url:
        return {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url}}


def authenticate(session: Session, intent: Doc, *, success: bool) -> str | CardError:
    """What the customer did on the bank's page."""
    method = session.need("payment_method", intent["payment_method"])
    if success:
        intent["_authenticated"] = method["_authenticated"] = True
        return attempt(session, intent, method)
    error = CardError(
        "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
        code="payment_intent_authentication_failure",
    )
    intent.update(
        status="requires_payment_method",
        next_action=None,
        last_payment_error=_error_on(session, error, method),
        payment_method=None,
    )
    emit(session, "payment_intent.payment_failed", intent)
    return error


def fail(session: Session, intent: Doc, method: Doc, error: CardError) -> None:
    charge = charges.add(session, intent, method, error)
    intent.update(
        status="requires_payment_method",
        latest_charge=charge["id"],
        last_payment_error={**_error_on(session, error, method), "charge": charge["id"]},
        payment_method=None,
        next_action=None,
    )
    error.body["charge"] = charge["id"]
    emit(session, "charge.failed", charge)
    emit(session, "payment_intent.payment_failed", intent)


def _error_on(session: Session, error: CardError, method: Doc) -> Doc:
    kept: Doc = {
        name: error.body[name] for name in ("code", "decline_code", "doc_url", "message", "type") if name in error.body
    }
    return {**kept, "payment_method": present(session, method)}


def _with_intent(session: Session, error: CardError, intent: Doc) -> CardError:
    error.body["payment_intent"] = present(session, intent)
    return error


def succeed(session: Session, intent: Doc, method: Doc) -> None:
    if intent["setup_future_usage"] and intent["customer"]:
        customer = session.need("customer", intent["customer"])
        payment_methods.attach_to(session, method, customer)
        method["_set_up"] = True
    charge = charges.add(session, intent, method, None)
    intent["latest_charge"] = charge["id"]
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        emit(session, "charge.succeeded", charge)
        emit(session, "payment_intent.amount_capturable_updated", intent)
        return
    intent.update(status="succeeded", amount_received=intent["amount"])
    emit(session, "charge.succeeded", charge)
    emit(session, "payment_intent.succeeded", intent)
    _tell(session, intent)
    disputes.open_if_marked(session, charge, payment_methods.card_of(method))


def _tell(session: Session, intent: Doc) -> None:
    for listener in WHEN_PAID:
        listener(session, intent)


@post(
    "/v1/payment_intents/{intent}/capture",
    "amount_to_capture metadata statement_descriptor statement_descriptor_suffix",
)
def capture(call: Call, id_: str) -> Doc:
    session = call.session
    intent = session.need("payment_intent", id_)
    if intent["status"] != "requires_capture":
        raise _unexpected(intent, "This PaymentIntent could not be captured")
    amount = call.get("amount_to_capture", intent["amount_capturable"])
    if not 0 < amount <= intent["amount_capturable"]:
        raise ApiError(
            "The requested capture amount is greater than the amount you can capture for this PaymentIntent.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    apply(intent, call, "metadata statement_descriptor statement_descriptor_suffix")
    charge = session.need("charge", intent["latest_charge"])
    charge.update(captured=True, amount_captured=amount, amount_refunded=intent["amount"] - amount)
    charges.settle(session, charge)
    intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
    emit(session, "charge.captured", charge)
    emit(session, "payment_intent.succeeded", intent)
    _tell(session, intent)
    return intent


@post("/v1/payment_intents/{intent}/cancel", "cancellation_reason")
def cancel(call: Call, id_: str) -> Doc:
    intent = call.session.need("payment_intent", id_)
    if intent["status"] not in (*CONFIRMABLE, "requires_capture"):
        raise _unexpected(intent, "You cannot cancel this PaymentIntent")
    if intent.get("_invoice"):
        raise ApiError("This PaymentIntent belongs to an invoice. Void the invoice instead.")
    cancel_intent(call.session, intent, call.get("cancellation_reason"))
    return intent


def cancel_intent(session: Session, intent: Doc, reason: str | None) -> None:
    intent.update(
        status="canceled",
        canceled_at=session.now(intent),
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    emit(session, "payment_intent.canceled", intent)


def _unexpected(intent: Doc, message: str) -> ApiError:
    return ApiError(f"{message}. It has a status of {intent['status']}.", code="payment_intent_unexpected_state")
