"""How given parameters change an object."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.money import CURRENCIES
from apps.stripe_sandbox.core.routes import Call
from apps.stripe_sandbox.core.shapes import Doc

ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def apply(doc: Doc, call: Call, names: str) -> None:
    """Fields that are taken over as they are given; metadata is merged."""
    for name in names.split():
        if name == "metadata" and name in call.params:
            doc["metadata"] = merged_metadata(doc.get("metadata") or {}, call[name])
        elif name in call.params:
            doc[name] = call[name]


def merged_metadata(old: dict[str, str], given: dict[str, Any] | None) -> dict[str, str]:
    """Given keys replace, empty ones are taken away; an empty metadata takes all away."""
    if given is None:
        return {}
    for key, value in given.items():
        if not isinstance(value, str):
            raise ApiError("Metadata values must be strings.", param=f"metadata[{key}]")
        if len(key) > 40 or len(value) > 500:
            raise ApiError(
                "Metadata keys can be up to 40 characters long, values up to 500.",
                code="parameter_invalid_string",
                param="metadata",
            )
    merged = {key: value for key, value in {**old, **given}.items() if value != ""}
    if len(merged) > 50:
        raise ApiError("You can have up to 50 metadata keys.", param="metadata")
    return merged


def address(given: dict[str, Any] | None) -> Doc | None:
    """An address with all its fields."""
    return None if given is None else {name: given.get(name) for name in ADDRESS}


def shipping(given: dict[str, Any] | None) -> Doc | None:
    if given is None:
        return None
    return {"address": address(given["address"]), "name": given["name"], "phone": given.get("phone")}


def currency(code: str, param: str = "currency") -> str:
    """A currency that exists, in lower case."""
    lower = code.lower()
    if lower not in CURRENCIES:
        raise ApiError(
            f"Invalid currency: {code}. Stripe currently supports these currencies: {', '.join(sorted(CURRENCIES))}",
            param=param,
        )
    return lower
