"""Brings in every module that serves something: routes, what happens by itself, what appears when expanded."""

from __future__ import annotations

from apps.stripe_sandbox.core import search
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.invoices import items as invoice_items
from apps.stripe_sandbox.invoices import payment
from apps.stripe_sandbox.invoices import routes as invoice_routes
from apps.stripe_sandbox.objects import (
    accounts,
    charges,
    checkout,
    checkout_completion,
    clocks,
    coupons,
    credit_notes,
    customers,
    disputes,
    meters,
    payment_intents,
    payment_methods,
    portal,
    prices,
    products,
    refunds,
    setup_intents,
    tax_ids,
    taxes,
    webhook_endpoints,
)
from apps.stripe_sandbox.subscriptions import cycle, preview, schedules
from apps.stripe_sandbox.subscriptions import routes as subscription_routes

MODULES = (
    accounts,
    charges,
    checkout,
    checkout_completion,
    clocks,
    coupons,
    credit_notes,
    customers,
    cycle,
    disputes,
    invoice_items,
    invoice_routes,
    meters,
    payment,
    payment_intents,
    payment_methods,
    portal,
    preview,
    prices,
    products,
    refunds,
    schedules,
    search,
    setup_intents,
    subscription_routes,
    tax_ids,
    taxes,
    webhook_endpoints,
)


def load() -> int:
    """Importing this module has filled the tables; how many modules took part."""
    return len(MODULES)


def set_up(session: Session) -> None:
    """What is there before anybody makes anything."""
    accounts.set_up(session)
