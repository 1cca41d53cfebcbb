"""What contract tests begin with: products, prices, customers on clocks."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from itertools import islice
from typing import Any

DAY = 86_400


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
