"""Checkout and portal sessions as the API shows them; their pages are tried in a browser."""

from __future__ import annotations

import pytest
import stripe

LINKS = {
    "success_url": "https://example.com/done?session_id={CHECKOUT_SESSION_ID}",
    "cancel_url": "https://example.com/back",
}


def test_checkout__subscription__tells_amounts_and_lines(api, world):
    price = world.price(2000)
    coupon = api.coupons.create({"percent_off": 10, "duration": "forever"})

    session = api.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 3}],
            "discounts": [{"coupon": coupon.id}],
            "client_reference_id": "acme",
            "expand": ["line_items"],
            **LINKS,
        }
    )

    assert (session.status, session.payment_status, session.amount_subtotal, session.amount_total) == (
        "open",
        "unpaid",
        6000,
        5400,
    )
    assert session.total_details.amount_discount == 600
    assert [(line.quantity, line.amount_total) for line in session.line_items.data] == [(3, 5400)]
    assert session.url.startswith("http")


def test_checkout__expired__no_page_any_more(api, world):
    session = api.checkout.sessions.create(
        {"mode": "setup", "currency": "usd", "customer": world.customer(card=None).id, **LINKS}
    )

    expired = api.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError):
        api.checkout.sessions.expire(session.id)


def test_checkout__recurring_price_in_payment_mode__refused(api, world):
    with pytest.raises(stripe.InvalidRequestError, match="recurring price"):
        api.checkout.sessions.create(
            {"mode": "payment", "line_items": [{"price": world.price().id, "quantity": 1}], **LINKS}
        )


def test_portal__configured_and_opened(api, world):
    price = world.price()
    configuration = api.billing_portal.configurations.create(
        {
            "business_profile": {"headline": "Acme"},
            "features": {
                "invoice_history": {"enabled": True},
                "payment_method_update": {"enabled": True},
                "subscription_cancel": {
                    "enabled": True,
                    "mode": "at_period_end",
                    "cancellation_reason": {"enabled": True, "options": ["too_expensive", "other"]},
                },
                "subscription_update": {
                    "enabled": True,
                    "default_allowed_updates": ["price"],
                    "products": [{"product": price.product, "prices": [price.id]}],
                },
            },
        }
    )

    session = api.billing_portal.sessions.create(
        {"customer": world.customer().id, "configuration": configuration.id, "return_url": "https://example.com/back"}
    )

    assert session.configuration == configuration.id
    assert session.url.startswith("http")
    assert api.billing_portal.configurations.update(configuration.id, {"active": False}).active is False
