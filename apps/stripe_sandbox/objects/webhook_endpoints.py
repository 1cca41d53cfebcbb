"""Webhook endpoints, and the events that are sent to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, not_served
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, delete, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.core.version import API_VERSION

LIMIT = 16


def _one_of_types(session: Session, types: list[str]) -> tuple[str, tuple[Any, ...]]:
    return f"lookup IN ({', '.join('?' * len(types))})", tuple(types)


def _of_type(session: Session, type_: str) -> tuple[str, tuple[Any, ...]]:
    return ("lookup GLOB ?" if "*" in type_ else "lookup = ?"), (type_,)


def _delivered(session: Session, value: bool) -> tuple[str, tuple[Any, ...]]:
    undelivered = "SELECT event FROM deliveries WHERE NOT delivered"
    return f"id {'NOT ' if value else ''}IN ({undelivered})", ()


serve_list("/v1/events", "event", "created", type=_of_type, types=_one_of_types, delivery_success=_delivered)
serve_object("/v1/events/{id}", "event")
serve_list("/v1/webhook_endpoints", "webhook_endpoint")
serve_object("/v1/webhook_endpoints/{webhook_endpoint}", "webhook_endpoint")


@post("/v1/webhook_endpoints", "url enabled_events api_version description metadata")
def create(call: Call) -> Doc:
    session = call.session
    if call.get("api_version", API_VERSION) != API_VERSION:
        raise not_served(f"version {call['api_version']} of the API, only {API_VERSION}", "api_version")
    if len(session.find("webhook_endpoint")) >= LIMIT:
        raise ApiError(f"You have reached the maximum of {LIMIT} test webhook endpoints.")
    _check_url(call["url"])
    endpoint = session.add(
        "webhook_endpoint",
        session.time,
        api_version=call.get("api_version"),
        description=call.get("description"),
        enabled_events=call["enabled_events"],
        metadata=merged_metadata({}, call.get("metadata", {})),
        status="enabled",
        url=call["url"],
        _secret=f"whsec_{random_text(32)}",
    )
    endpoint.pop("secret", None)
    return {**endpoint, "secret": endpoint["_secret"]}


def _check_url(url: str) -> None:
    """Plain http is fine here: endpoints are on this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ApiError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )


@post("/v1/webhook_endpoints/{webhook_endpoint}", "url enabled_events description disabled metadata")
def update(call: Call, id_: str) -> Doc:
    endpoint = call.session.need("webhook_endpoint", id_)
    if "url" in call:
        _check_url(call["url"])
    apply(endpoint, call, "url enabled_events description metadata")
    if "disabled" in call:
        endpoint["status"] = "disabled" if call["disabled"] else "enabled"
    return endpoint


@delete("/v1/webhook_endpoints/{webhook_endpoint}")
def remove(call: Call, id_: str) -> Doc:
    call.session.need("webhook_endpoint", id_)["deleted"] = True
    return {"id": id_, "object": "webhook_endpoint", "deleted": True}
