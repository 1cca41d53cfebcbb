"""What happens when a customer submits the checkout page."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, CardError, known
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import checkout as checkouts
from apps.stripe_sandbox.objects import checkout_quote, customers, payment_intents, payment_methods, setup_intents
from apps.stripe_sandbox.subscriptions import creation


def submit(session: Session, checkout: Doc, details: dict[str, Any], card: dict[str, Any] | None) -> str | None:
    """Buy, subscribe or save, with a card: the address to go to for authentication, if the bank wants it.

    A declined card raises; a subscription that it was meant for then never was.
    """
    if checkout["status"] != "open":
        raise ApiError("This checkout session is no longer open.")
    customer = _customer(session, checkout, details)
    method = payment_methods.from_data(session, {"card": card, "billing_details": details}) if card else None
    checkout["customer_details"] = {
        "email": details.get("email"),
        "name": details.get("name"),
        "phone": None,
        "address": details.get("address"),
        "tax_exempt": "none",
        "tax_ids": [],
    }
    if checkout["mode"] == "subscription":
        return _subscribe(session, checkout, known(customer), method)
    if checkout["mode"] == "payment":
        return _pay(session, checkout, customer, method)
    return _save(session, checkout, customer, method)


def _is_guest(checkout: Doc) -> bool:
    """Whoever pays once stays unknown, unless a customer is asked for, or needed."""
    needed = checkout["automatic_tax"]["enabled"] or checkout["_data"].get("setup_future_usage")
    return checkout["mode"] != "subscription" and checkout["customer_creation"] == "if_required" and not needed


def _customer(session: Session, checkout: Doc, details: dict[str, Any]) -> Doc | None:
    if checkout["customer"]:
        customer = session.need("customer", checkout["customer"])
        update = checkout["_customer_update"]
        if update.get("address") == "auto" and details.get("address"):
            customer["address"] = details["address"]
            emit(session, "customer.updated", customer)
        return customer
    if _is_guest(checkout):
        return None
    fields = {name: details[name] for name in ("email", "name", "address") if details.get(name)}
    customer = customers.add(session, fields)
    checkout["customer"] = customer["id"]
    return customer


def _subscribe(session: Session, checkout: Doc, customer: Doc, method: Doc | None) -> str | None:
    subscription = session.get(checkout["subscription"])
    if subscription is None:
        subscription = creation.create(session, checkout_quote.subscription_parameters(checkout, customer))
        subscription["_checkout"] = checkout["id"]
        checkout.update(subscription=subscription["id"], invoice=subscription["latest_invoice"])
    invoice = session.need("invoice", subscription["latest_invoice"])
    if invoice["status"] == "paid":
        if method is None:
            _complete(session, checkout, paid=False)
            return None
        intent = session.get(subscription["pending_setup_intent"]) or setup_intents.add(
            session, customer, "off_session"
        )
        intent["_checkout"] = checkout["id"]
        return _set_up(session, checkout, intent, method)
    if method is None:
        raise ApiError("A card is needed.")
    intent = session.need("payment_intent", invoice["_payment_intent"])
    intent["setup_future_usage"] = "off_session"
    return _attempt(session, checkout, intent, method)


def _pay(session: Session, checkout: Doc, customer: Doc | None, method: Doc | None) -> str | None:
    if method is None:
        raise ApiError("A card is needed.")
    intent = session.get(checkout["payment_intent"])
    if intent is None:
        checkouts.quote(session, checkout)
        total = checkout["amount_total"]
        intent = _new_intent(session, checkout, customer, total)
    return _attempt(session, checkout, intent, method)


def _new_intent(session: Session, checkout: Doc, customer: Doc | None, total: int) -> Doc:
    data = checkout["_data"]
    fields = {
        name: data[name]
        for name in ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "capture_method")
        if name in data
    }
    metadata = merged_metadata({}, data.get("metadata", {}))
    intent = payment_intents.add(
        session, amount=total, currency=checkout["currency"], customer=customer, metadata=metadata, **fields
    )
    checkout["payment_intent"] = intent["id"]
    intent["_checkout"] = checkout["id"]
    emit(session, "payment_intent.created", intent)
    return intent


def _attempt(session: Session, checkout: Doc, intent: Doc, method: Doc) -> str | None:
    outcome = payment_intents.attempt(
        session, intent, method, return_url=f"{session.setting('url')}/c/pay/{checkout['id']}"
    )
    if isinstance(outcome, CardError):
        outcome.keep = checkout["mode"] == "payment"
        raise outcome
    if outcome == "requires_action":
        return str(intent["next_action"]["redirect_to_url"]["url"])
    if outcome == "requires_capture":
        _complete(session, checkout, paid=False)
    return None


def _save(session: Session, checkout: Doc, customer: Doc | None, method: Doc | None) -> str | None:
    if method is None:
        raise ApiError("A card is needed.")
    intent = session.get(checkout["setup_intent"])
    if intent is None:
        intent = setup_intents.add(session, customer, "off_session", description=checkout["_data"].get("description"))
        intent["metadata"] = merged_metadata({}, checkout["_data"].get("metadata", {}))
        intent["_checkout"] = checkout["id"]
        checkout["setup_intent"] = intent["id"]
        emit(session, "setup_intent.created", intent)
    return _set_up(session, checkout, intent, method)


def _set_up(session: Session, checkout: Doc, intent: Doc, method: Doc) -> str | None:
    outcome = setup_intents.attempt(
        session, intent, method, return_url=f"{session.setting('url')}/c/pay/{checkout['id']}"
    )
    if isinstance(outcome, CardError):
        raise outcome
    if outcome == "requires_action":
        return str(intent["next_action"]["redirect_to_url"]["url"])
    return None


def _complete(session: Session, checkout: Doc, *, paid: bool) -> None:
    checkout.update(status="complete", url=None, payment_status="paid" if paid else checkout["payment_status"])
    if not paid and checkout["mode"] == "subscription":
        checkout["payment_status"] = "no_payment_required"
    emit(session, "checkout.session.completed", checkout)


def _when_paid(session: Session, intent: Doc) -> None:
    checkout = _behind(session, intent)
    if checkout:
        _complete(session, checkout, paid=True)


def _behind(session: Session, intent: Doc) -> Doc | None:
    """The open checkout session that an intent, or the subscription of its invoice, belongs to."""
    invoice = session.get(intent.get("_invoice"))
    subscription = session.get(invoice.get("_subscription")) if invoice else None
    checkout = session.get(intent.get("_checkout") or (subscription or {}).get("_checkout"))
    return checkout if checkout and checkout["status"] == "open" else None


def _when_set_up(session: Session, intent: Doc) -> None:
    checkout = _behind(session, intent)
    subscription = session.get(intent.get("_subscription") or (checkout or {}).get("subscription"))
    if subscription and subscription["default_payment_method"] is None:
        subscription.update(default_payment_method=intent["payment_method"], pending_setup_intent=None)
        emit(session, "customer.subscription.updated", subscription)
    if checkout:
        _complete(session, checkout, paid=False)


payment_intents.WHEN_PAID.append(_when_paid)
setup_intents.WHEN_SET_UP.append(_when_set_up)
