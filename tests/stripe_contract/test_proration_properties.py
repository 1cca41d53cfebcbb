"""Any sequence of changes: prorations against exact fractions, previews against what is then charged."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.stripe_sandbox import registry
from apps.stripe_sandbox.core import clock as clockwork
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.routes import Call
from apps.stripe_sandbox.core.store import Store
from apps.stripe_sandbox.objects import clocks, customers, prices, products
from apps.stripe_sandbox.subscriptions import changes, creation, preview
from tests.stripe_contract.world import at

START = at("2027-01-31 12:34:56")


class Engine:
    """The sandbox without HTTP, in memory: a thousand clocks in the time that one request takes."""

    def __init__(self) -> None:
        self.store = Store(":memory:")
        with self.store.transaction() as session:
            session.set_setting("url", "http://sandbox")
            registry.set_up(session)
            product = products.add(session, name="Plan", metadata={})
            self.product = product["id"]
            self.clock = clocks.create(Call(session, {"frozen_time": START}))["id"]
            given = {
                "test_clock": self.clock,
                "payment_method": "pm_card_visa",
                "invoice_settings": {"default_payment_method": "pm_card_visa"},
            }
            self.customer = customers.add(session, given)["id"]

    def price(self, amount: int, interval: str = "month") -> str:
        with self.store.transaction() as session:
            return prices.add(
                session,
                {
                    "product": self.product,
                    "currency": "usd",
                    "unit_amount": amount,
                    "recurring": {"interval": interval},
                },
            )["id"]

    def subscribe(self, price: str, quantity: int, **fields) -> str:
        with self.store.transaction() as session:
            return creation.create(
                session, {"customer": self.customer, "items": [{"price": price, "quantity": quantity}], **fields}
            )["id"]

    def advance(self, seconds: int) -> None:
        with self.store.transaction() as session:
            clock = session.get(self.clock)
            clocks.start(session, clock, clock["frozen_time"] + seconds)
        arrived = False
        while not arrived:
            with self.store.transaction() as session:
                arrived = clockwork.advance_step(session, self.clock, emit)

    def change(self, subscription: str, **given):
        with self.store.transaction() as session:
            doc = session.get(subscription)
            item = {
                "id": doc["items"]["data"][0]["id"],
                **{name: given.pop(name) for name in ("price", "quantity") if name in given},
            }
            changes.update(session, doc, {"items": [item], **given})
            return doc

    def preview(self, subscription: str, **given):
        with self.store.transaction() as session:
            doc = session.get(subscription)
            item = {
                "id": doc["items"]["data"][0]["id"],
                **{name: given.pop(name) for name in ("price", "quantity") if name in given},
            }
            return preview.next_invoice(session, subscription, {"subscription_details": {"items": [item], **given}})

    def get(self, id_: str):
        with self.store.transaction() as session:
            return session.get(id_)

    def find(self, object_: str):
        with self.store.transaction() as session:
            return session.find(object_)


CHANGES = st.lists(st.tuples(st.integers(1, 5 * 86_400), st.integers(0, 2), st.integers(1, 40)), min_size=1, max_size=5)
AMOUNTS = st.lists(st.integers(101, 99_999), min_size=3, max_size=3, unique=True)


@settings(max_examples=40, deadline=None)
@given(amounts=AMOUNTS, steps=CHANGES)
def test_changes__prorations__exact_to_one_unit_per_line(amounts, steps):
    engine = Engine()
    ids = [engine.price(amount) for amount in amounts]
    subscription = engine.subscribe(ids[0], 1)
    item = engine.get(subscription)["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    exact, current, moment = Fraction(0), (0, 1), START
    for seconds, price, quantity in steps:
        engine.advance(seconds)
        moment += seconds
        engine.change(subscription, price=ids[price], quantity=quantity)
        part = Fraction(end - moment, end - start)
        exact += (amounts[price] * quantity - amounts[current[0]] * current[1]) * part
        current = (price, quantity)

    lines = [row for row in engine.find("invoiceitem") if row["proration"]]

    assert moment < end
    assert abs(sum(row["amount"] for row in lines) - exact) <= Fraction(len(lines), 2)


@settings(max_examples=40, deadline=None)
@given(amounts=AMOUNTS, steps=CHANGES, yearly=st.booleans())
def test_preview__of_any_change__equals_the_charge(amounts, steps, yearly):
    engine = Engine()
    ids = [engine.price(amounts[0]), engine.price(amounts[1]), engine.price(amounts[2], "year" if yearly else "month")]
    subscription = engine.subscribe(ids[0], 2)
    for seconds, price, quantity in steps:
        engine.advance(seconds)
        before = engine.get(subscription)["latest_invoice"]
        change = {"price": ids[price], "quantity": quantity, "proration_behavior": "always_invoice"}
        shown = engine.preview(subscription, **change)
        assert engine.get(subscription)["latest_invoice"] == before
        changed = engine.change(subscription, **change)
        if changed["latest_invoice"] == before:
            continue
        charged = engine.get(changed["latest_invoice"])
        assert [row["amount"] for row in shown["lines"]["data"]] == [row["amount"] for row in charged["lines"]["data"]]
        assert (shown["total"], shown["amount_due"], shown["starting_balance"]) == (
            charged["total"],
            charged["amount_due"],
            charged["starting_balance"],
        )
        assert charged["status"] == "paid"


@settings(max_examples=30, deadline=None)
@given(amounts=AMOUNTS, steps=CHANGES)
def test_money__what_was_paid_and_what_is_credit__is_what_was_invoiced(amounts, steps):
    engine = Engine()
    ids = [engine.price(amount) for amount in amounts]
    subscription = engine.subscribe(ids[0], 1)
    for seconds, price, quantity in steps:
        engine.advance(seconds)
        engine.change(subscription, price=ids[price], quantity=quantity, proration_behavior="always_invoice")
    engine.advance(40 * 86_400)

    invoices = [invoice for invoice in engine.find("invoice") if invoice["status"] == "paid"]
    charged = sum(charge["amount"] for charge in engine.find("charge") if charge["paid"])
    balance = engine.get(engine.customer)["balance"]

    assert sum(invoice["total"] for invoice in invoices) == charged + balance
    assert sum(row["amount"] for row in engine.find("customer_balance_transaction")) == balance


@settings(max_examples=25, deadline=None)
@given(
    interval=st.sampled_from(["day", "week", "month", "year"]),
    seconds=st.integers(0, 400 * 86_400),
    renewals=st.integers(1, 4),
)
def test_renewals__from_any_anchor__periods_join_without_gaps(interval, seconds, renewals):
    engine = Engine()
    engine.advance(seconds + 1)
    subscription = engine.subscribe(engine.price(1000, interval), 1)
    spans = []
    for _ in range(renewals):
        item = engine.get(subscription)["items"]["data"][0]
        spans.append((item["current_period_start"], item["current_period_end"]))
        engine.advance(item["current_period_end"] - engine.get(engine.clock)["frozen_time"])

    assert all(first[1] == second[0] for first, second in pairwise(spans))
    lines = [
        row
        for invoice in sorted(engine.find("invoice"), key=lambda invoice: invoice["created"])
        for row in invoice["lines"]["data"]
    ]
    assert [(row["period"]["start"], row["period"]["end"]) for row in lines][:renewals] == spans
    assert all(row["amount"] == 1000 for row in lines)


@pytest.mark.parametrize("percent", [10, 33.3, 100])
def test_proration__under_a_percentage__at_the_discounted_price(percent):
    engine = Engine()
    with engine.store.transaction() as session:
        coupon = session.add(
            "coupon", 0, id="OFF", percent_off=percent, duration="forever", valid=True, times_redeemed=0
        )
    small, large = engine.price(3000), engine.price(9000)
    subscription = engine.subscribe(small, 1, discounts=[{"coupon": coupon["id"]}])
    engine.advance(86_400)
    item = engine.get(subscription)["items"]["data"][0]

    engine.change(subscription, price=large)

    part = Fraction(item["current_period_end"] - START - 86_400, item["current_period_end"] - START)
    exact = 6000 * (1 - Fraction(str(percent)) / 100) * part
    assert abs(sum(row["amount"] for row in engine.find("invoiceitem")) - exact) <= 1
