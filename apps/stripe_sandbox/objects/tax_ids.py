"""Tax ids of customers."""

from __future__ import annotations

import re
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError, missing
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import PAGE, listed, serve_object
from apps.stripe_sandbox.core.presenting import includes
from apps.stripe_sandbox.core.routes import Call, delete, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page

serve_object("/v1/tax_ids/{id}", "tax_id")

TAX_ID_FORMATS = {
    "eu_vat": r"[A-Z]{2}[0-9A-Z]{2,12}",
    "gb_vat": r"GB[0-9]{9,12}",
    "us_ein": r"[0-9]{2}-?[0-9]{7}",
    "ch_vat": r"CHE-?[0-9.]{9,11} ?(MWST|TVA|IVA)",
}


def add(session: Session, customer: Doc, kind: str, value: str) -> Doc:
    if not re.fullmatch(TAX_ID_FORMATS.get(kind, ".+"), value):
        raise ApiError(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    tax_id = session.add(
        "tax_id",
        session.now(customer),
        customer=customer["id"],
        country=value[:2] if kind == "eu_vat" else kind[:2].upper(),
        owner={
            "account": None,
            "application": None,
            "customer": customer["id"],
            "type": "customer",
            "customer_account": None,
        },
        type=kind,
        value=value,
        verification={
            "status": "verified" if kind in TAX_ID_FORMATS else "unavailable",
            "verified_address": None,
            "verified_name": None,
        },
        _clock=customer.get("test_clock"),
    )
    emit(session, "customer.tax_id.created", tax_id)
    return tax_id


@post("/v1/customers/{customer}/tax_ids", "type value")
def create_tax_id(call: Call, id_: str) -> Doc:
    return add(call.session, call.session.need("customer", id_, "customer"), call["type"], call["value"])


@get("/v1/customers/{customer}/tax_ids", PAGE)
def list_tax_ids(call: Call, customer: str) -> Doc:
    call.session.need("customer", customer, "customer")
    return listed(call, "tax_id", f"/v1/customers/{customer}/tax_ids", [("customer = ?", (customer,))])


@get("/v1/customers/{customer}/tax_ids/{id}")
def retrieve_tax_id(call: Call, customer: str, id_: str) -> Doc:
    return owned(call.session, "tax_id", customer, id_)


@delete("/v1/customers/{customer}/tax_ids/{id}")
def remove_tax_id(call: Call, customer: str, id_: str) -> Doc:
    tax_id = owned(call.session, "tax_id", customer, id_)
    tax_id["deleted"] = True
    emit(call.session, "customer.tax_id.deleted", tax_id)
    return {"id": id_, "object": "tax_id", "deleted": True}


@includes("customer", "tax_ids")
def tax_ids_of(session: Session, customer: Doc) -> Doc:
    return page(session.find("tax_id", "customer = ?", customer["id"]), f"/v1/customers/{customer['id']}/tax_ids")


@get("/v1/tax_ids", f"{PAGE} owner{{type customer}}")
def list_all(call: Call) -> Doc:
    """Those of one customer, or the account's own, of which there are none."""
    owner: dict[str, Any] = call.get("owner", {"type": "self"})
    condition = ("customer = ?", (owner.get("customer"),)) if owner["type"] == "customer" else ("0", ())
    return listed(call, "tax_id", "/v1/tax_ids", [condition])


def owned(session: Session, object_: str, customer: str, id_: str) -> Doc:
    doc = session.need(object_, id_)
    if doc["customer"] != customer:
        raise missing(object_.replace("_", " "), id_)
    return doc
