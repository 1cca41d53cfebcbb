"""The one account of the sandbox."""

from __future__ import annotations

from apps.stripe_sandbox.core.errors import missing
from apps.stripe_sandbox.core.lists import PAGE
from apps.stripe_sandbox.core.routes import Call, get
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page
from apps.stripe_sandbox.core.version import ACCOUNT


def set_up(session: Session) -> None:
    if session.get(ACCOUNT) is None:
        session.add(
            "account",
            0,
            id=ACCOUNT,
            business_profile={"name": "Sandbox", "support_email": "support@sandbox.example"},
            capabilities={"card_payments": "active", "transfers": "active"},
            charges_enabled=True,
            country="US",
            default_currency="usd",
            details_submitted=True,
            email="owner@sandbox.example",
            payouts_enabled=True,
            settings={
                "branding": {},
                "card_issuing": None,
                "card_payments": {},
                "dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"},
                "payments": {"statement_descriptor": "SANDBOX"},
                "bacs_debit_payments": None,
            },
            type="standard",
            metadata={},
        )


@get("/v1/account")
def retrieve_current(call: Call) -> Doc:
    return call.session.need("account", ACCOUNT)


@get("/v1/accounts", PAGE)
def list_accounts(call: Call) -> Doc:
    """Connected accounts: there are none."""
    return page([], "/v1/accounts")


@get("/v1/accounts/{account}")
def retrieve(call: Call, id_: str) -> Doc:
    if id_ != ACCOUNT:
        raise missing("account", id_)
    return call.session.need("account", ACCOUNT)
