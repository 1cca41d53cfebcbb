"""Tax rates, and automatic tax from a small table of countries and states."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, known
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.money import rounded
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc

TEXTS = "active country description display_name jurisdiction metadata state tax_type"
VAT = dict(
    entry.split("=")
    for entry in (
        "AT=20 BE=21 BG=20 CH=8.1 CZ=21 DE=19 DK=25 EE=24 ES=21 FI=25.5 FR=20 GB=20 GR=24 HR=25 HU=27 IE=23 IT=22 "
        "LT=21 LU=17 LV=21 MT=18 NL=21 NO=25 PL=23 PT=23 RO=21 SE=25 SI=22 SK=23 "
    ).split()
)
SALES_TAX = {"CA": "7.25", "IL": "6.25", "MA": "6.25", "NJ": "6.625", "NY": "4", "PA": "6", "TX": "6.25", "WA": "6.5"}
HOME = "US"
"""Where the account sits: a business elsewhere with a tax id pays by reverse charge."""

serve_list("/v1/tax_rates", "tax_rate", "active created inclusive")
serve_object("/v1/tax_rates/{tax_rate}", "tax_rate")


@post("/v1/tax_rates", f"{TEXTS} inclusive percentage")
def create(call: Call) -> Doc:
    if not 0 <= call["percentage"] <= 100:
        raise ApiError("Invalid percentage: must be between 0 and 100", param="percentage")
    rate = _add(call.session, call.params)
    emit(call.session, "tax_rate.created", rate)
    return rate


def _add(session: Session, given: dict[str, Any]) -> Doc:
    fields = {
        "active": True,
        "rate_type": "percentage",
        **given,
        "metadata": merged_metadata({}, given.get("metadata", {})),
    }
    return session.add("tax_rate", session.time, **fields)


@post("/v1/tax_rates/{tax_rate}", TEXTS)
def update(call: Call, id_: str) -> Doc:
    rate = call.session.need("tax_rate", id_)
    apply(rate, call, TEXTS)
    emit(call.session, "tax_rate.updated", rate)
    return rate


def find_all(session: Session, ids: list[str] | None, param: str) -> list[Doc]:
    return [dict(session.need("tax_rate", id_, param)) for id_ in ids or []]


def location(customer: Doc) -> Doc | None:
    """Where a customer is taxed, if that is known."""
    place: Doc | None = customer["address"] or (customer["shipping"] or {}).get("address")
    return place if place and place.get("country") else None


def automatic_rates(session: Session, customer: Doc, *, inclusive: bool) -> tuple[list[Doc], str]:
    """The rates that the small table has for a customer, and the reason for what it says."""
    place = known(location(customer))
    if customer["tax_exempt"] == "exempt":
        return [], "customer_exempt"
    if customer["tax_exempt"] == "reverse" or (
        place["country"] in VAT and place["country"] != HOME and _has_tax_id(session, customer)
    ):
        return [], "reverse_charge"
    percentage = SALES_TAX.get(place.get("state") or "") if place["country"] == "US" else VAT.get(place["country"])
    if percentage is None:
        return [], "not_collecting"
    return [_automatic(session, place, percentage, inclusive=inclusive)], "standard_rated"


def _has_tax_id(session: Session, customer: Doc) -> bool:
    return bool(session.find("tax_id", "customer = ?", customer["id"], limit=1))


def _automatic(session: Session, place: Doc, percentage: str, *, inclusive: bool) -> Doc:
    """The rate of a place, made when it is first needed."""
    state = place.get("state") if place["country"] == "US" else None
    name = f"automatic rate {place['country']} {state} {inclusive}"
    rate = session.get(session.setting(name))
    if rate is None:
        rate = _add(
            session,
            {
                "active": False,
                "country": place["country"],
                "state": state,
                "display_name": "Sales tax" if state else "VAT",
                "inclusive": inclusive,
                "jurisdiction": state or place["country"],
                "jurisdiction_level": "state" if state else "country",
                "percentage": float(percentage),
                "effective_percentage": float(percentage),
                "tax_type": "sales_tax" if state else "vat",
            },
        )
        session.set_setting(name, rate["id"])
    return dict(rate)


def taxes_on(amount: int, rates: list[Doc], reason: str = "standard_rated") -> list[Doc]:
    """What rates make of an amount; inclusive ones are taken out of it, exclusive ones come on top."""
    if not rates:
        return []
    included = sum((Fraction(str(rate["percentage"])) for rate in rates if rate["inclusive"]), Fraction(0))
    net = Fraction(amount) / (1 + included / 100)
    return [
        {
            "amount": rounded(net * Fraction(str(rate["percentage"])) / 100),
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": reason if rate.get("effective_percentage") else "not_available",
            "taxable_amount": rounded(net),
            "type": "tax_rate_details",
        }
        for rate in rates
    ]
