"""What contract tests begin with: products, prices, customers on clocks."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from itertools import islice
from typing import Any

DAY = 86_400
CARD = {"currency": "usd", "payment_method_types": ["card"], "confirm": True}


def at(text: str) -> int:
    """`2027-01-31` or `2027-01-31 12:00:05` in UTC as a timestamp."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class World:
    """Makes things with one line each."""

    def __init__(self, api: Any) -> None:
        self.api = api

    def price(self, amount: int = 2000, interval: str = "month", **fields: Any) -> Any:
        product = self.api.products.create({"name": f"Plan {uuid.uuid4().hex[:6]}"})
        recurring = {"interval": interval, "interval_count": fields.pop("interval_count", 1)}
        parameters = {
            "currency": "usd",
            "product": product.id,
            "recurring": {**recurring, **fields.pop("recurring", {})},
            **fields,
        }
        if parameters.get("billing_scheme") != "tiered" and "unit_amount_decimal" not in parameters:
            parameters["unit_amount"] = amount
        return self.api.prices.create(parameters)

    def clock(self, moment: str = "2027-01-15 10:00:00") -> Any:
        return self.api.test_helpers.test_clocks.create({"frozen_time": at(moment)})

    def customer(self, card: str | None = "pm_card_visa", clock: Any = None, **fields: Any) -> Any:
        parameters = {"email": f"{uuid.uuid4().hex[:8]}@example.com", "name": "Ada Example", **fields}
        if clock is not None:
            parameters["test_clock"] = clock.id
        if card:
            parameters |= {"payment_method": card, "invoice_settings": {"default_payment_method": card}}
        return self.api.customers.create(parameters)

    def let_fail(self, customer: Any) -> None:
        """Give a customer a card that is charged from now on, and declines."""
        failing = self.api.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer.id})
        self.api.customers.update(customer.id, {"invoice_settings": {"default_payment_method": failing.id}})

    def subscribe(self, customer: Any, price: Any, quantity: int = 1, **fields: Any) -> Any:
        item = (
            {"price": price.id}
            if price.recurring.usage_type == "metered"
            else {"price": price.id, "quantity": quantity}
        )
        return self.api.subscriptions.create({"customer": customer.id, "items": [item], **fields})

    def advance(self, clock: Any, moment: str | int) -> Any:
        """Advance a clock and wait until it has arrived."""
        target = at(moment) if isinstance(moment, str) else moment
        self.api.test_helpers.test_clocks.advance(clock.id, {"frozen_time": target})
        while True:
            found = self.api.test_helpers.test_clocks.retrieve(clock.id)
            if found.status != "advancing":
                assert found.status == "ready"
                return found
            time.sleep(0.02)

    def invoices(self, subscription: Any) -> list[Any]:
        """All invoices of a subscription, the oldest first."""
        return list(self.api.invoices.list({"subscription": subscription.id, "limit": 100}).data)[::-1]

    def events(self, object_id: str, kind: str) -> list[Any]:
        """The events about one object, in the order in which they happened."""
        found = islice(self.api.events.list({"limit": 100, "type": kind}).auto_paging_iter(), 2000)
        return [event for event in found if getattr(event.data.object, "id", None) == object_id][::-1]

    def furnish(self) -> None:
        """One of everything."""
        api = self.api
        coupon = api.coupons.create({"percent_off": 10, "duration": "forever"})
        api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
        rate = api.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False})
        customer = self.customer(tax_id_data=[{"type": "eu_vat", "value": "DE123456789"}])
        price = self.price()
        subscription = self.subscribe(customer, price, discounts=[{"coupon": coupon.id}], default_tax_rates=[rate.id])
        self.subscribe(self.customer(card=None), price, trial_period_days=14)
        tiers = [{"up_to": 5, "unit_amount": 7}, {"up_to": "inf", "unit_amount": 5}]
        self.subscribe(self.customer(), self.price(billing_scheme="tiered", tiers_mode="volume", tiers=tiers))
        api.subscription_schedules.create({"from_subscription": subscription.id})
        api.payment_intents.create({"amount": 500, "payment_method": "pm_card_createDispute", **CARD})
        paid = api.payment_intents.create({"amount": 500, "payment_method": "pm_card_visa", **CARD})
        api.refunds.create({"payment_intent": paid.id})
        api.setup_intents.create(
            {
                "payment_method_types": ["card"],
                "customer": customer.id,
                "payment_method": "pm_card_visa",
                "confirm": True,
            }
        )
        api.invoice_items.create({"customer": customer.id, "amount": 100, "currency": "usd"})
        api.checkout.sessions.create({"mode": "setup", "currency": "usd", "success_url": "https://example.com"})
        feature = api.entitlements.features.create({"name": "SSO", "lookup_key": "sso"})
        api.products.features.create(price.product, {"entitlement_feature": feature.id})
        api.billing.meters.create(
            {"display_name": "Seats", "event_name": "seats", "default_aggregation": {"formula": "last"}}
        )
        api.credit_notes.create({"invoice": subscription.latest_invoice, "amount": 100})
