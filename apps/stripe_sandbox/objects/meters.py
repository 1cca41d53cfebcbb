"""Billing meters: events counted once, late or not, and what they add up to."""

from __future__ import annotations

import re
from fractions import Fraction

from apps.stripe_sandbox.core.changes import apply
from apps.stripe_sandbox.core.errors import ApiError, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.ids import random_text
from apps.stripe_sandbox.core.lists import PAGE, serve_list, serve_object, slice_page
from apps.stripe_sandbox.core.routes import Call, get, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, complete

DAY = 86_400
OLDEST, NEWEST, ADJUSTABLE = 35 * DAY, 300, DAY
VALUE = re.compile(r"-?\d{1,15}(\.\d{1,12})?")
WINDOWS = {"hour": 3600, "day": DAY}

serve_list("/v1/billing/meters", "billing.meter", "status")
serve_object("/v1/billing/meters/{id}", "billing.meter")


@post("/v1/billing/meters", "display_name event_name default_aggregation customer_mapping value_settings")
def create(call: Call) -> Doc:
    session = call.session
    name = call["event_name"]
    if session.find("billing.meter", "lookup = ? AND body ->> '$.status' = 'active'", name, limit=1):
        raise ApiError(
            f"There is already an active meter with the event name {name}.",
            param="event_name",
            code="resource_already_exists",
        )
    meter = session.add(
        "billing.meter",
        session.time,
        customer_mapping={
            "type": "by_id",
            "event_payload_key": "stripe_customer_id",
            **call.get("customer_mapping", {}),
        },
        default_aggregation=call["default_aggregation"],
        display_name=call["display_name"],
        event_name=name,
        status="active",
        updated=session.time,
        value_settings={"event_payload_key": "value", **call.get("value_settings", {})},
    )
    emit(session, "billing.meter.created", meter)
    return meter


@post("/v1/billing/meters/{id}", "display_name")
def update(call: Call, id_: str) -> Doc:
    meter = call.session.need("billing.meter", id_)
    apply(meter, call, "display_name")
    meter["updated"] = call.session.time
    emit(call.session, "billing.meter.updated", meter)
    return meter


@post("/v1/billing/meters/{id}/deactivate")
def deactivate(call: Call, id_: str) -> Doc:
    return _switch(call.session, id_, "inactive", "billing.meter.deactivated")


@post("/v1/billing/meters/{id}/reactivate")
def reactivate(call: Call, id_: str) -> Doc:
    return _switch(call.session, id_, "active", "billing.meter.reactivated")


def _switch(session: Session, id_: str, status: str, event: str) -> Doc:
    meter = session.need("billing.meter", id_)
    if meter["status"] == status:
        raise ApiError(f"The meter is {status} already.")
    meter.update(status=status, updated=session.time)
    meter["status_transitions"] = {"deactivated_at": session.time if status == "inactive" else None}
    emit(session, event, meter)
    return meter


@post("/v1/billing/meter_events", "event_name identifier payload timestamp")
def record(call: Call) -> Doc:
    """Take an event; what is wrong with it comes to light later, in an error report, as with Stripe."""
    session = call.session
    payload = call["payload"]
    meter = _active(session, call["event_name"])
    identifier = call.get("identifier") or random_text(32)
    if meter is None:
        raise ApiError(
            f"No active meter found for event name {call['event_name']}.", code="resource_missing", param="event_name"
        )
    for param, key in (
        ("customer", meter["customer_mapping"]["event_payload_key"]),
        ("value", meter["value_settings"]["event_payload_key"]),
    ):
        if key not in payload and not (param == "value" and meter["default_aggregation"]["formula"] == "count"):
            raise required(f"payload[{key}]")
    customer = session.get(payload[meter["customer_mapping"]["event_payload_key"]])
    now = session.now(customer) if customer else session.time
    timestamp = call.get("timestamp", now)
    if timestamp < now - OLDEST:
        raise ApiError(
            "The timestamp is more than 35 days in the past.", code="timestamp_too_far_in_past", param="timestamp"
        )
    if timestamp > now + NEWEST:
        raise ApiError(
            "The timestamp is more than 5 minutes in the future.", code="timestamp_in_future", param="timestamp"
        )
    seen = session.connection.execute(
        "SELECT 1 FROM meter_events WHERE meter = ? AND identifier = ? AND created > ?",
        (meter["id"], identifier, session.time - DAY),
    ).fetchone()
    if seen:
        raise ApiError(
            f"An event already exists with identifier {identifier}.", code="duplicate_meter_event", param="identifier"
        )
    value = payload.get(meter["value_settings"]["event_payload_key"], "1")
    problem = _problem(customer, value)
    if problem:
        _report(session, meter, identifier, problem)
    else:
        session.connection.execute(
            "INSERT INTO meter_events (identifier, meter, customer, timestamp, created, value) VALUES (?, ?, ?, ?, ?, "
            "?)",
            (
                identifier,
                meter["id"],
                payload[meter["customer_mapping"]["event_payload_key"]],
                timestamp,
                session.time,
                value,
            ),
        )
    return {
        "object": "billing.meter_event",
        "created": now,
        "event_name": meter["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": timestamp,
    }


def _active(session: Session, event_name: str) -> Doc | None:
    found = session.find("billing.meter", "lookup = ? AND body ->> '$.status' = 'active'", event_name, limit=1)
    return found[0] if found else None


def _problem(customer: Doc | None, value: str) -> tuple[str, str] | None:
    if customer is None or customer["object"] != "customer" or customer.get("deleted"):
        return "meter_event_customer_not_found", "There is no such customer."
    if not VALUE.fullmatch(value):
        return "meter_event_invalid_value", f"The value is not a number: {value}"
    return None


def _report(session: Session, meter: Doc, identifier: str, problem: tuple[str, str]) -> None:
    """Kept for `/_sandbox/meter_errors`: Stripe tells of these in an event of its second API, which is not served."""
    report = {
        "at": session.time,
        "meter": meter["id"],
        "identifier": identifier,
        "code": problem[0],
        "message": problem[1],
    }
    session.set_setting("meter errors", [*session.setting("meter errors", []), report][-1000:])


@post("/v1/billing/meter_event_adjustments", "cancel event_name type")
def adjust(call: Call) -> Doc:
    """Take an event back, within a day."""
    session = call.session
    meter = _active(session, call["event_name"])
    identifier = call.get("cancel", {}).get("identifier")
    if meter is None or not identifier:
        raise (
            required("cancel[identifier]")
            if meter
            else ApiError("No such meter.", code="resource_missing", param="event_name")
        )
    changed = session.connection.execute(
        "UPDATE meter_events SET canceled = 1 WHERE meter = ? AND identifier = ? AND created > ? AND NOT canceled",
        (meter["id"], identifier, session.time - ADJUSTABLE),
    ).rowcount
    if not changed:
        raise ApiError(
            f"No event with identifier {identifier} from the last 24 hours.",
            code="resource_missing",
            param="cancel[identifier]",
        )
    return complete(
        {
            "object": "billing.meter_event_adjustment",
            "cancel": {"identifier": identifier},
            "event_name": meter["event_name"],
            "livemode": False,
            "status": "complete",
            "type": "cancel",
        }
    )


def usage(session: Session, meter_id: str, customer: str, start: int, end: int) -> Fraction:
    """What a meter says for a customer in [start, end), exactly."""
    meter = session.need("billing.meter", meter_id)
    rows = session.connection.execute(
        "SELECT value FROM meter_events WHERE meter = ? AND customer = ? AND timestamp >= ? AND timestamp < ? AND NOT "
        "canceled ORDER BY timestamp, seq",
        (meter_id, customer, start, end),
    ).fetchall()
    formula = meter["default_aggregation"]["formula"]
    if formula == "count":
        return Fraction(len(rows))
    values = [Fraction(row[0]) for row in rows]
    total = (values[-1] if values else Fraction(0)) if formula == "last" else sum(values, Fraction(0))
    return max(Fraction(0), total)


@get("/v1/billing/meters/{id}/event_summaries", f"{PAGE} customer start_time end_time value_grouping_window")
def summaries(call: Call, id_: str) -> Doc:
    session = call.session
    meter = session.need("billing.meter", id_)
    customer = session.need("customer", call["customer"], "customer")
    start, end = call["start_time"], call["end_time"]
    window = WINDOWS.get(call.get("value_grouping_window", ""))
    unit = window or 60
    if start % unit or end % unit or start >= end:
        raise ApiError(
            "`start_time` and `end_time` must be aligned with the boundaries of the window (a minute without one), in "
            "order.",
            param="start_time",
        )
    spans = [(at, min(at + window, end)) for at in range(start, end, window)] if window else [(start, end)]
    found = [_summary(session, meter, customer["id"], *span) for span in spans]
    shown = [summary for summary in found if summary["aggregated_value"] or not window]
    return slice_page(call, shown[::-1], f"/v1/billing/meters/{id_}/event_summaries")


def _summary(session: Session, meter: Doc, customer: str, start: int, end: int) -> Doc:
    return {
        "id": f"mtrusg_test_{meter['id'][-12:]}{start}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(usage(session, meter["id"], customer, start, end)),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }
