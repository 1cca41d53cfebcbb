"""Products and the features that come with them."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, missing
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import PAGE, listed, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.routes import Call, delete, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import prices

TEXTS = "description images statement_descriptor tax_code unit_label url shippable package_dimensions"

serve_list("/v1/products", "product", "active created shippable url", ids=lambda session, ids: one_of("id", ids))
serve_object("/v1/products/{id}", "product")
serve_list(
    "/v1/entitlements/features",
    "entitlements.feature",
    "lookup_key",
    archived=lambda session, value: ("body ->> '$.active' = ?", (int(not value),)),
)
serve_object("/v1/entitlements/features/{id}", "entitlements.feature")


def one_of(column: str, values: list[str]) -> tuple[str, tuple[Any, ...]]:
    return f"{column} IN ({', '.join('?' * len(values))})", tuple(values)


@post(
    "/v1/products",
    "id name active default_price_data{currency unit_amount unit_amount_decimal recurring tax_behavior metadata} "
    f"marketing_features metadata type {TEXTS}",
)
def create(call: Call) -> Doc:
    session = call.session
    if "id" in call and session.get(call["id"]):
        raise ApiError(f"Product already exists with the ID {call['id']}", code="resource_already_exists", param="id")
    product = add(
        session,
        **{
            name: call.params[name]
            for name in ("id", "name", "active", "marketing_features", "type", *TEXTS.split())
            if name in call.params
        },
    )
    product["metadata"] = merged_metadata({}, call.get("metadata", {}))
    emit(session, "product.created", product)
    if "default_price_data" in call:
        price = prices.add(session, {**call["default_price_data"], "product": product["id"]})
        product["default_price"] = price["id"]
        emit(session, "product.updated", product)
    return product


def add(session: Session, **fields: Any) -> Doc:
    fields = {
        "active": True,
        "type": "service",
        "images": [],
        "marketing_features": [],
        "updated": session.time,
        **fields,
    }
    return session.add("product", session.time, **fields)


@post("/v1/products/{id}", f"active default_price marketing_features metadata name {TEXTS}")
def update(call: Call, id_: str) -> Doc:
    product = call.session.need("product", id_)
    if call.get("default_price"):
        price = call.session.need("price", call["default_price"], "default_price")
        if price["product"] != id_:
            raise ApiError("The default price must belong to the product.", param="default_price")
    apply(product, call, f"active default_price marketing_features metadata name {TEXTS}")
    product["images"] = product["images"] or []
    product["updated"] = call.session.time
    emit(call.session, "product.updated", product)
    return product


@delete("/v1/products/{id}")
def remove(call: Call, id_: str) -> Doc:
    product = call.session.need("product", id_)
    if call.session.find("price", "parent = ?", id_, limit=1):
        raise ApiError("This product cannot be deleted because it has one or more user-created prices.")
    product["deleted"] = True
    emit(call.session, "product.deleted", product)
    return {"id": id_, "object": "product", "deleted": True}


@post("/v1/entitlements/features", "lookup_key name metadata")
def create_feature(call: Call) -> Doc:
    if call.session.find("entitlements.feature", "lookup = ? AND body ->> '$.active'", call["lookup_key"], limit=1):
        raise ApiError(f"An active feature already has the lookup key {call['lookup_key']}.", param="lookup_key")
    return call.session.add(
        "entitlements.feature",
        call.session.time,
        active=True,
        lookup_key=call["lookup_key"],
        name=call["name"],
        metadata=merged_metadata({}, call.get("metadata", {})),
        _created=call.session.time,
    )


@post("/v1/entitlements/features/{id}", "active name metadata")
def update_feature(call: Call, id_: str) -> Doc:
    feature = call.session.need("entitlements.feature", id_)
    apply(feature, call, "active name metadata")
    return feature


@get("/v1/products/{product}/features", "limit starting_after ending_before")
def list_product_features(call: Call, product: str) -> Doc:
    call.session.need("product", product)
    return listed(call, "product_feature", f"/v1/products/{product}/features", [("parent = ?", (product,))])


@post("/v1/products/{product}/features", "entitlement_feature")
def attach_feature(call: Call, product: str) -> Doc:
    call.session.need("product", product)
    feature = call.session.need("entitlements.feature", call["entitlement_feature"], "entitlement_feature")
    return call.session.add(
        "product_feature", 0, entitlement_feature=feature, _product=product, _created=call.session.time
    )


@get("/v1/products/{product}/features/{id}")
def retrieve_product_feature(call: Call, product: str, id_: str) -> Doc:
    return _of_product(call.session, product, id_)


@delete("/v1/products/{product}/features/{id}")
def detach_feature(call: Call, product: str, id_: str) -> Doc:
    feature = _of_product(call.session, product, id_)
    feature["deleted"] = True
    return {"id": id_, "object": "product_feature", "deleted": True}


@get("/v1/entitlements/active_entitlements", f"{PAGE} customer")
def list_active(call: Call) -> Doc:
    """The features of everything that a customer is subscribed to now."""
    session = call.session
    customer = session.need("customer", call["customer"], "customer")
    running = "customer = ? AND body ->> '$.status' IN ('active', 'trialing', 'past_due')"
    found: dict[str, Doc] = {}
    for subscription in session.find("subscription", running, customer["id"]):
        for item in subscription["items"]["data"]:
            for attached in session.find("product_feature", "parent = ?", item["price"]["product"]):
                feature = attached["entitlement_feature"]
                found[feature["id"]] = {
                    "id": f"ent_test_{customer['id'][-8:]}{feature['id'][-12:]}",
                    "object": "entitlements.active_entitlement",
                    "feature": feature["id"],
                    "livemode": False,
                    "lookup_key": feature["lookup_key"],
                }
    return slice_page(call, list(found.values()), "/v1/entitlements/active_entitlements")


def _of_product(session: Session, product: str, id_: str) -> Doc:
    feature = session.need("product_feature", id_)
    if feature["_product"] != product:
        raise missing("product feature", id_)
    return feature
