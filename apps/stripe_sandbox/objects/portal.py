"""The customer portal: what it allows, and the sessions that open it. The page itself is in `pages`."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core.changes import apply
from apps.stripe_sandbox.core.errors import ApiError, missing, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc

REASONS = [
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
]
FEATURES = (
    "features{customer_update{allowed_updates enabled} invoice_history payment_method_update{enabled} "
    "subscription_cancel{cancellation_reason{enabled options} enabled mode proration_behavior} "
    "subscription_update{default_allowed_updates enabled products{prices product} proration_behavior}}"
)
ALLOWED_UPDATES = ("email", "name")

serve_list("/v1/billing_portal/configurations", "billing_portal.configuration", "active is_default")
serve_object("/v1/billing_portal/configurations/{configuration}", "billing_portal.configuration")


@post("/v1/billing_portal/configurations", f"business_profile default_return_url metadata name {FEATURES}")
def create(call: Call) -> Doc:
    configuration = _add(call.session, is_default=False)
    _change(call, configuration)
    emit(call.session, "billing_portal.configuration.created", configuration)
    return configuration


def _add(session: Session, *, is_default: bool) -> Doc:
    return session.add(
        "billing_portal.configuration",
        session.time,
        active=True,
        business_profile={},
        features={
            "customer_update": {"allowed_updates": [], "enabled": False},
            "invoice_history": {"enabled": is_default},
            "payment_method_update": {"enabled": is_default},
            "subscription_cancel": {
                "cancellation_reason": {"enabled": False, "options": REASONS},
                "enabled": is_default,
                "mode": "at_period_end",
                "proration_behavior": "none",
            },
            "subscription_update": {
                "default_allowed_updates": [],
                "enabled": False,
                "proration_behavior": "create_prorations",
                "products": [],
                "schedule_at_period_end": {"conditions": []},
                "trial_update_behavior": "end_trial",
            },
        },
        is_default=is_default,
        login_page={"enabled": False, "url": None},
        metadata={},
        updated=session.time,
    )


def _change(call: Call, configuration: Doc) -> None:
    apply(configuration, call, "active default_return_url metadata name")
    configuration["business_profile"].update(call.get("business_profile", {}))
    for name, given in call.get("features", {}).items():
        _change_feature(call.session, configuration["features"][name], name, given)
    configuration["updated"] = call.session.time


def _change_feature(session: Session, feature: Doc, name: str, given: dict[str, Any]) -> None:
    allowed = given.get("allowed_updates") or []
    if any(update not in ALLOWED_UPDATES for update in allowed):
        raise not_served(
            f"customer updates in the portal other than of {', '.join(ALLOWED_UPDATES)}",
            "features[customer_update][allowed_updates]",
        )
    if any(update not in ("price", "quantity") for update in given.get("default_allowed_updates") or []):
        raise not_served("promotion codes in the portal", "features[subscription_update][default_allowed_updates]")
    given = dict(given)
    if "products" in given:
        given["products"] = [_product(session, product) for product in given["products"] or []]
    for key in ("allowed_updates", "default_allowed_updates"):
        if key in given:
            given[key] = given[key] or []
    feature.update(given)
    if (
        name == "subscription_update"
        and feature["enabled"]
        and not feature["products"]
        and "price" in feature["default_allowed_updates"]
    ):
        raise required("features[subscription_update][products]")


def _product(session: Session, given: dict[str, Any]) -> Doc:
    session.need("product", given["product"], "features[subscription_update][products]")
    for price in given["prices"]:
        session.need("price", price, "features[subscription_update][products]")
    return {
        "adjustable_quantity": {"enabled": False, "maximum": None, "minimum": 1},
        "prices": given["prices"],
        "product": given["product"],
    }


@post(
    "/v1/billing_portal/configurations/{configuration}",
    f"active business_profile default_return_url metadata name {FEATURES}",
)
def update(call: Call, id_: str) -> Doc:
    configuration = call.session.need("billing_portal.configuration", id_)
    if configuration["is_default"] and call.get("active") is False:
        raise ApiError("You cannot deactivate the default configuration.", param="active")
    _change(call, configuration)
    emit(call.session, "billing_portal.configuration.updated", configuration)
    return configuration


def default_configuration(session: Session) -> Doc:
    """Made when it is first needed, as the dashboard's settings page would."""
    found = session.find("billing_portal.configuration", "body ->> '$.is_default'", limit=1)
    return found[0] if found else _add(session, is_default=True)


FLOW = (
    "flow_data{type subscription_cancel{subscription} subscription_update{subscription} after_completion{type "
    "redirect{return_url}}}"
)


@post("/v1/billing_portal/sessions", f"configuration customer return_url locale {FLOW}")
def create_session(call: Call) -> Doc:
    session = call.session
    if "customer" not in call:
        raise required("customer")
    if call.get("locale", "auto") not in ("auto", "en"):
        raise not_served("pages in other languages than English", "locale")
    customer = session.need("customer", call["customer"], "customer")
    if "configuration" in call:
        configuration = session.need("billing_portal.configuration", call["configuration"], "configuration")
    else:
        configuration = default_configuration(session)
    id_ = new_id("billing_portal.session")
    url = f"{session.setting('url')}/p/session/{id_}"
    flow = _flow(session, call.get("flow_data"), customer)
    portal = session.add(
        "billing_portal.session",
        session.time,
        id=id_,
        configuration=configuration["id"],
        customer=customer["id"],
        flow=flow,
        locale=call.get("locale"),
        return_url=call.get("return_url") or configuration["default_return_url"],
        url=f"{url}/flow" if flow else url,
    )
    emit(session, "billing_portal.session.created", portal)
    return portal


def _flow(session: Session, given: dict[str, Any] | None, customer: Doc) -> Doc | None:
    """One task instead of the whole portal."""
    if given is None:
        return None
    kind = given["type"]
    if kind not in ("payment_method_update", "subscription_cancel", "subscription_update"):
        raise not_served(f"the portal's flow {kind}", "flow_data[type]")
    details = given.get(kind)
    if kind != "payment_method_update":
        if not details:
            raise required(f"flow_data[{kind}][subscription]")
        subscription = session.get(details["subscription"])
        if subscription is None or subscription.get("customer") != customer["id"]:
            raise missing("subscription", details["subscription"], f"flow_data[{kind}][subscription]")
    after = given.get("after_completion") or {"type": "portal_homepage"}
    if after["type"] == "hosted_confirmation":
        raise not_served("the portal's confirmation page", "flow_data[after_completion][type]")
    flow: Doc = dict.fromkeys(
        ("customer_update", "subscription_cancel", "subscription_update", "subscription_update_confirm")
    )
    flow["after_completion"] = {"hosted_confirmation": None, "redirect": after.get("redirect"), "type": after["type"]}
    flow["type"] = kind
    if details:
        flow[kind] = {
            "subscription": details["subscription"],
            **({"retention": None} if kind == "subscription_cancel" else {}),
        }
    return flow
