"""Ids as Stripe makes them: a prefix that tells the type, then random letters and digits."""

from __future__ import annotations

import os
import string

ALPHABET = string.ascii_letters + string.digits
PREFIXES = {
    "balance_transaction": "txn",
    "billing.meter": "mtr",
    "billing.meter_event_summary": "mtrusg",
    "billing_portal.configuration": "bpc",
    "billing_portal.session": "bps",
    "charge": "ch",
    "checkout.session": "cs_test",
    "credit_note": "cn",
    "credit_note_line_item": "cnli",
    "customer": "cus",
    "customer_balance_transaction": "cbtxn",
    "discount": "di",
    "dispute": "du",
    "entitlements.active_entitlement": "ent",
    "entitlements.feature": "feat",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "invoiceitem": "ii",
    "item": "li",
    "line_item": "il",
    "payment_intent": "pi",
    "payment_method": "pm",
    "price": "price",
    "product": "prod",
    "product_feature": "prodft",
    "promotion_code": "promo",
    "refund": "re",
    "setup_attempt": "setatt",
    "setup_intent": "seti",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
    "tax_id": "txi",
    "tax_rate": "txr",
    "test_helpers.test_clock": "clock",
    "webhook_endpoint": "we",
}


def random_text(length: int, alphabet: str = ALPHABET) -> str:
    """Unpredictable enough for a sandbox; drawn at once, since a busy clock makes ids by the hundred thousand."""
    size = len(alphabet)
    return "".join([alphabet[byte % size] for byte in os.urandom(length)])


def new_id(object_: str) -> str:
    """A new id for an object of this type."""
    length = 14 if object_ in ("customer", "product", "subscription_item") else 24
    return f"{PREFIXES[object_]}_{random_text(length)}"
