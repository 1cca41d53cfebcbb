"""Setup intents: save a card for later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, CardError, not_served
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id, random_text
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import charges, payment_intents, payment_methods

WHEN_SET_UP: list[Callable[[Session, Doc], None]] = []
"""Told of every intent that succeeds."""
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")

serve_list("/v1/setup_intents", "setup_intent", "created customer payment_method")
serve_object("/v1/setup_intents/{intent}", "setup_intent")


@post(
    "/v1/setup_intents",
    "automatic_payment_methods confirm customer description metadata payment_method payment_method_types return_url "
    "usage",
)
def create(call: Call) -> Doc:
    session = call.session
    customer = session.need("customer", call["customer"], "customer") if call.get("customer") else None
    intent = add(session, customer, usage=call.get("usage", "off_session"))
    intent["metadata"] = merged_metadata({}, call.get("metadata", {}))
    if "payment_method_types" not in call:
        automatic = call.get("automatic_payment_methods", {"enabled": True})
        intent["automatic_payment_methods"] = (
            {"allow_redirects": "always", **automatic} if automatic["enabled"] else None
        )
    _change(call, intent)
    emit(session, "setup_intent.created", intent)
    if call.get("confirm"):
        _confirm(call, intent)
    return intent


def add(session: Session, customer: Doc | None, usage: str, **fields: Any) -> Doc:
    id_ = new_id("setup_intent")
    return session.add(
        "setup_intent",
        session.now(customer),
        id=id_,
        client_secret=f"{id_}_secret_{random_text(25)}",
        customer=customer["id"] if customer else None,
        metadata={},
        payment_method_types=["card"],
        payment_method_options={
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        status="requires_payment_method",
        usage=usage,
        _clock=customer and customer.get("test_clock"),
        **fields,
    )


def _change(call: Call, intent: Doc) -> None:
    apply(intent, call, "description metadata")
    if call.get("payment_method_types", ["card"]) != ["card"]:
        raise not_served("payment methods other than cards", "payment_method_types")
    if call.get("payment_method"):
        intent["payment_method"] = payment_intents.usable(
            intent, payment_methods.find(call.session, call["payment_method"])
        )["id"]
        intent["status"] = "requires_confirmation"


@post("/v1/setup_intents/{intent}", "customer description metadata payment_method")
def update(call: Call, id_: str) -> Doc:
    intent = call.session.need("setup_intent", id_)
    if "customer" in call:
        intent["customer"] = call.session.need("customer", call["customer"], "customer")["id"]
    _change(call, intent)
    return intent


@post("/v1/setup_intents/{intent}/confirm", "payment_method return_url")
def confirm(call: Call, id_: str) -> Doc:
    intent = call.session.need("setup_intent", id_)
    if intent["status"] not in OPEN:
        raise _unexpected(intent, "confirm")
    _change(call, intent)
    _confirm(call, intent)
    return intent


def _confirm(call: Call, intent: Doc) -> None:
    session = call.session
    if intent["payment_method"] is None:
        raise ApiError(
            "You cannot confirm this SetupIntent because it's missing a payment method.",
            code="setup_intent_unexpected_state",
        )
    automatic = intent["automatic_payment_methods"]
    if automatic and automatic["allow_redirects"] != "never" and not call.get("return_url"):
        raise ApiError(
            "This SetupIntent is configured to accept payment methods that may redirect your customer: you must "
            "provide a `return_url`."
        )
    method = session.need("payment_method", intent["payment_method"], "payment_method")
    outcome = attempt(session, intent, method, call.get("return_url"))
    if isinstance(outcome, CardError):
        outcome.body["setup_intent"] = present(session, intent)
        raise outcome


def attempt(session: Session, intent: Doc, method: Doc, return_url: str | None = None) -> str | CardError:
    """Try to save the card: the intent's new status, or why not."""
    card = payment_methods.card_of(method)
    intent.update(payment_method=method["id"], last_setup_error=None, next_action=None)
    if card.authentication and not intent.get("_authenticated"):
        intent.update(status="requires_action", next_action=payment_intents.next_action(session, intent, return_url))
        emit(session, "setup_intent.requires_action", intent)
        return "requires_action"
    error = charges.decline_of(method, session.now(intent)) if card.decline and not card.attaches else None
    _record_attempt(session, intent, method, error)
    if error:
        _fail(session, intent, method, error)
        return error
    if intent["customer"]:
        payment_methods.attach_to(session, method, session.need("customer", intent["customer"]))
    method["_set_up"] = intent["usage"] == "off_session"
    intent["status"] = "succeeded"
    emit(session, "setup_intent.succeeded", intent)
    for listener in WHEN_SET_UP:
        listener(session, intent)
    return "succeeded"


def _record_attempt(session: Session, intent: Doc, method: Doc, error: CardError | None) -> None:
    made = session.add(
        "setup_attempt",
        session.now(intent),
        customer=intent["customer"],
        payment_method=method["id"],
        payment_method_details={"type": "card", "card": {}},
        setup_error={"type": "card_error", "code": error.body.get("code"), "message": str(error)} if error else None,
        setup_intent=intent["id"],
        status="failed" if error else "succeeded",
        usage=intent["usage"],
    )
    intent["latest_attempt"] = made["id"]


def _fail(session: Session, intent: Doc, method: Doc, error: CardError) -> None:
    kept: Doc = {
        name: error.body[name] for name in ("code", "decline_code", "doc_url", "message", "type") if name in error.body
    }
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_setup_error={**kept, "payment_method": present(session, method)},
    )
    emit(session, "setup_intent.setup_failed", intent)


def authenticate(session: Session, intent: Doc, *, success: bool) -> str | CardError:
    """What the customer did on the bank's page."""
    method = session.need("payment_method", intent["payment_method"])
    if success:
        intent["_authenticated"] = method["_authenticated"] = True
        return attempt(session, intent, method)
    error = CardError("We are unable to authenticate your payment method.", code="setup_intent_authentication_failure")
    intent["next_action"] = None
    _fail(session, intent, method, error)
    return error


@post("/v1/setup_intents/{intent}/cancel", "cancellation_reason")
def cancel(call: Call, id_: str) -> Doc:
    intent = call.session.need("setup_intent", id_)
    if intent["status"] not in OPEN:
        raise _unexpected(intent, "cancel")
    intent.update(status="canceled", cancellation_reason=call.get("cancellation_reason"), next_action=None)
    emit(call.session, "setup_intent.canceled", intent)
    return intent


def _unexpected(intent: Doc, verb: str) -> ApiError:
    return ApiError(
        f"You cannot {verb} this SetupIntent because it has a status of {intent['status']}.",
        code="setup_intent_unexpected_state",
    )
