"""Objects in Stripe's shape: every field that the annotations declare is there, null where nothing was given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import ListOf, MapOf, PageOf, Record, Scalar, Type

Doc: TypeAlias = dict[str, Any]

UNUSUAL = {
    "invoiceitem": Record("stripe._invoice_item", "InvoiceItem"),
    "line_item": Record("stripe._invoice_line_item", "InvoiceLineItem"),
    "item": Record("stripe._line_item", "LineItem"),
}
INCLUDABLE = {
    "price": ("tiers", "currency_options"),
    "coupon": ("applies_to", "currency_options"),
    "customer": ("subscriptions", "sources", "tax_ids"),
    "checkout.session": ("line_items",),
    "invoice": ("payments", "confirmation_secret", "total_pretax_credit_amounts"),
    "charge": ("refunds",),
    "tax.calculation": ("line_items",),
}
"""Fields that appear only when `expand` names them."""
SPARSE = (
    "PaymentMethod",
    "PaymentMethodDetails",
    "PaymentMethodOptions",
    "NextAction",
    "CountryOptions",
    "LastPaymentError",
    "LastSetupError",
    "SetupError",
    "Restrictions",
    "StatusDetails",
    "AutomaticPaymentMethods",
    "DestinationDetails",
)
"""Classes whose fields Stripe leaves out when they do not apply."""
SELDOM = frozenset(
    {"deleted", "managed_payments", "customer_account", "application", "presentment_details", "name_collection"}
)
"""Fields that Stripe leaves out where the feature behind them is not used."""


@cache
def record_of(object_: str) -> Record:
    """stripe-python's class for objects of this type."""
    if object_ in UNUSUAL:
        return UNUSUAL[object_]
    *package, name = object_.split(".")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    return Record(".".join(["stripe", *package, f"_{name}"]), class_name)


@dataclass(frozen=True)
class _Plan:
    """What completing an object of one class takes."""

    names: frozenset[str]
    nested: tuple[tuple[str, Type], ...]
    empty: dict[str, None]
    required: tuple[tuple[str, Type], ...]


@cache
def _plan(record: Record, object_: str) -> _Plan:
    declared = fields(record)
    sparse = record.name.rsplit(".", 1)[-1] in SPARSE
    left_out = SELDOM.union(INCLUDABLE.get(object_, ()))
    return _Plan(
        frozenset(declared),
        tuple((name, field.type) for name, field in declared.items() if _has_record(field.type)),
        {name: None for name, field in declared.items() if not (field.required or sparse or name in left_out)},
        tuple((name, field.type) for name, field in declared.items() if field.required),
    )


def _has_record(type_: Type) -> bool:
    return isinstance(type_, Record) or (isinstance(type_, (ListOf, PageOf)) and isinstance(type_.item, Record))


def complete(doc: Doc) -> Doc:
    """The object with all its fields; a TypeError where a required one is missing or one is invented."""
    return _complete(doc, record_of(doc["object"]), doc["object"])


def _complete(doc: Doc, record: Record, path: str) -> Doc:
    plan = _plan(record, doc.get("object", ""))
    invented = [name for name in doc.keys() - plan.names if name[0] != "_"]
    if invented:
        raise TypeError(f"{path} has no fields {invented}")
    for name, type_ in plan.nested:
        if doc.get(name):
            doc[name] = _inside(doc[name], type_, path)
    for name, type_ in plan.required:
        if name not in doc:
            doc[name] = _default(name, type_, f"{path}.{name}")
    for name in plan.empty:
        if name not in doc:
            doc[name] = None
    return doc


def _inside(value: Any, type_: Type, path: str) -> Any:
    if isinstance(value, dict) and isinstance(type_, Record):
        return _complete(value, type_, path)
    if isinstance(value, list) and isinstance(type_, ListOf):
        return [_inside(item, type_.item, path) for item in value]
    if isinstance(value, dict) and isinstance(type_, PageOf):
        value["data"] = [_inside(item, type_.item, path) for item in value["data"]]
    return value


def _default(name: str, type_: Type, path: str) -> Any:
    if name == "livemode":
        return False
    if isinstance(type_, ListOf):
        return []
    if isinstance(type_, MapOf):
        return {}
    if type_ == Scalar("int") and name.startswith("amount"):
        return 0
    if not isinstance(type_, Record):
        raise TypeError(f"{path} is required")
    return _complete({}, type_, path)


def page(data: list[Doc], url: str, *, has_more: bool = False) -> Doc:
    """A list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


CONTAINERS = (dict, list)


def public(value: Any) -> Any:
    """A copy without what is ours: keys that begin with an underscore."""
    if isinstance(value, dict):
        return {
            key: public(item) if item.__class__ in CONTAINERS else item for key, item in value.items() if key[:1] != "_"
        }
    if isinstance(value, list):
        return [public(item) if item.__class__ in CONTAINERS else item for item in value]
    return value
