"""Subscription schedules: phases, one after the other."""

from __future__ import annotations

from typing import Any

from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.changes import apply, merged_metadata
from apps.stripe_sandbox.core.errors import ApiError, not_served, required
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.periods import boundary
from apps.stripe_sandbox.core.routes import Call, post
from apps.stripe_sandbox.core.session import NEXT_DUE, Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import taxes
from apps.stripe_sandbox.subscriptions import changes, creation, ending

PHASE = (
    "phases{items{price quantity metadata tax_rates} default_payment_method description duration end_date metadata "
    "proration_behavior trial trial_end}"
)
OVER = ("canceled", "completed", "released")

serve_list(
    "/v1/subscription_schedules",
    "subscription_schedule",
    "created customer",
    scheduled=lambda session, value: (
        "body ->> '$.status' = 'not_started'" if value else "body ->> '$.status' != 'not_started'",
        (),
    ),
)
serve_object("/v1/subscription_schedules/{schedule}", "subscription_schedule")


@post("/v1/subscription_schedules", f"customer end_behavior from_subscription metadata start_date {PHASE}")
def create(call: Call) -> Doc:
    session = call.session
    if "from_subscription" in call:
        if set(call.params) - {"from_subscription", "metadata"}:
            raise ApiError("You cannot set other parameters if `from_subscription` is set.", param="from_subscription")
        return _around(session, session.need("subscription", call["from_subscription"], "from_subscription"))
    if "customer" not in call:
        raise required("customer")
    if not call.get("phases"):
        raise required("phases")
    _refuse_unserved(call)
    customer = session.need("customer", call["customer"], "customer")
    now = session.now(customer)
    start = now if call.get("start_date", "now") == "now" else call["start_date"]
    schedule = _add(session, customer, call.get("end_behavior", "release"), call.get("metadata", {}))
    schedule["phases"] = _phases(session, call["phases"], start)
    emit(session, "subscription_schedule.created", schedule)
    if start <= now:
        _enter(session, schedule, schedule["phases"][0])
    return schedule


def _add(session: Session, customer: Doc, end_behavior: str, metadata: dict[str, str]) -> Doc:
    return session.add(
        "subscription_schedule",
        session.now(customer),
        billing_mode={"type": "flexible", "flexible": {"proration_discounts": "included"}},
        customer=customer["id"],
        default_settings={
            "billing_cycle_anchor": "automatic",
            "collection_method": "charge_automatically",
            "invoice_settings": {"issuer": {"type": "self"}},
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        },
        end_behavior=end_behavior,
        metadata=merged_metadata({}, metadata),
        phases=[],
        status="not_started",
        test_clock=customer["test_clock"],
    )


def _refuse_unserved(call: Call) -> None:
    if call.get("end_behavior", "release") not in ("release", "cancel"):
        raise not_served(f"the end behavior {call['end_behavior']}", "end_behavior")


def _around(session: Session, subscription: Doc) -> Doc:
    """A schedule for a subscription that runs already: its first phase is the current period."""
    if subscription["schedule"]:
        raise ApiError(
            f"You cannot migrate a subscription that is already attached to a schedule: `{subscription['schedule']}`.",
            param="from_subscription",
        )
    schedule = _add(session, session.need("customer", subscription["customer"]), "release", {})
    first = subscription["items"]["data"][0]
    rows = [
        _item(item["price"], item.get("quantity"), item["metadata"], item["tax_rates"] or [])
        for item in subscription["items"]["data"]
    ]
    schedule["phases"] = [
        _phase(subscription["currency"], rows, first["current_period_start"], first["current_period_end"], {})
    ]
    schedule.update(status="active", subscription=subscription["id"], current_phase=_span(schedule["phases"][0]))
    subscription["schedule"] = schedule["id"]
    emit(session, "subscription_schedule.created", schedule)
    emit(session, "customer.subscription.updated", subscription)
    return schedule


def _phases(session: Session, given: list[dict[str, Any]], start: int) -> list[Doc]:
    phases = []
    for number, parameters in enumerate(given):
        rows = []
        for item in parameters["items"]:
            if "price" not in item:
                raise required(f"phases[{number}][items][0][price]")
            price = session.need("price", item["price"], f"phases[{number}][items][0][price]")
            metered = price["recurring"]["usage_type"] == "metered"
            rates = taxes.find_all(session, item.get("tax_rates"), "tax_rates")
            rows.append(
                _item(
                    price,
                    None if metered else item.get("quantity", 1),
                    merged_metadata({}, item.get("metadata") or {}),
                    rates,
                )
            )
        end = _end(parameters, price, start, f"phases[{number}]")
        phases.append(_phase(price["currency"], rows, start, end, parameters))
        start = end
    return phases


def _end(parameters: dict[str, Any], price: Doc, start: int, param: str) -> int:
    if "end_date" in parameters:
        if isinstance(parameters["end_date"], str) or parameters["end_date"] <= start:
            raise ApiError("A phase must end after it starts.", param=f"{param}[end_date]")
        return int(parameters["end_date"])
    duration = parameters.get("duration") or price["recurring"]
    return boundary(start, duration["interval"], duration.get("interval_count") or 1, 1)


def _item(price: Doc, quantity: int | None, metadata: dict[str, str], rates: list[Doc]) -> Doc:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": metadata,
        "plan": price["id"],
        "price": price["id"],
        "quantity": quantity,
        "tax_rates": rates,
    }


def _phase(currency: str, rows: list[Doc], start: int, end: int, given: dict[str, Any]) -> Doc:
    names = (
        "add_invoice_items",
        "application_fee_percent",
        "automatic_tax",
        "billing_cycle_anchor",
        "billing_thresholds",
        "collection_method",
        "default_payment_method",
        "description",
        "invoice_settings",
        "on_behalf_of",
        "transfer_data",
        "trial_end",
    )
    phase: Doc = {name: given.get(name) for name in names}
    phase.update(
        add_invoice_items=[],
        currency=currency,
        default_tax_rates=[],
        discounts=[],
        end_date=end,
        items=rows,
        metadata=merged_metadata({}, given.get("metadata") or {}),
        proration_behavior=given.get("proration_behavior", "create_prorations"),
        start_date=start,
    )
    if given.get("trial"):
        phase["trial_end"] = end
    return phase


def _span(phase: Doc) -> Doc:
    return {"start_date": phase["start_date"], "end_date": phase["end_date"]}


def _enter(session: Session, schedule: Doc, phase: Doc) -> None:
    """Begin a phase: make the subscription, or change it."""
    rows = [
        {
            "price": row["price"],
            **({} if row["quantity"] is None else {"quantity": row["quantity"]}),
            "metadata": row["metadata"],
            "tax_rates": [rate["id"] for rate in row["tax_rates"]],
        }
        for row in phase["items"]
    ]
    common: dict[str, Any] = {name: phase[name] for name in ("description", "default_payment_method") if phase[name]}
    common["metadata"] = phase["metadata"]
    if phase["trial_end"] and phase["trial_end"] > session.now(schedule):
        common["trial_end"] = phase["trial_end"]
    subscription = session.get(schedule["subscription"])
    if subscription is None:
        parameters = {
            "customer": schedule["customer"],
            "items": rows,
            "payment_behavior": _behavior(session, schedule),
            **common,
        }
        subscription = creation.create(session, parameters)
        subscription["schedule"] = schedule["id"]
        schedule["subscription"] = subscription["id"]
    else:
        changes.update(
            session,
            subscription,
            {"items": _replacing(subscription, rows), "proration_behavior": phase["proration_behavior"], **common},
        )
    schedule.update(status="active", current_phase=_span(phase))
    emit(session, "subscription_schedule.updated", schedule)


def _behavior(session: Session, schedule: Doc) -> str:
    """Without a card the first invoice waits for one."""
    customer = session.need("customer", schedule["customer"])
    return "allow_incomplete" if customer["invoice_settings"]["default_payment_method"] else "default_incomplete"


def _replacing(subscription: Doc, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The change from what is subscribed to now to what the phase wants, item by item."""
    current = list(subscription["items"]["data"])
    wanted = list(rows)
    change: list[dict[str, Any]] = []
    for row in rows:
        same = next((item for item in current if item["price"]["id"] == row["price"]), None)
        if same:
            current.remove(same)
            wanted.remove(row)
            change.append({**row, "id": same["id"]})
    change += [{**row, "id": current.pop(0)["id"]} if current else row for row in wanted]
    return [*change, *({"id": item["id"], "deleted": True, "clear_usage": True} for item in current)]


@post(
    "/v1/subscription_schedules/{schedule}",
    f"end_behavior metadata proration_behavior {PHASE.replace('trial trial_end', 'start_date trial trial_end')}",
)
def update(call: Call, id_: str) -> Doc:
    session = call.session
    schedule = _running(session, id_)
    _refuse_unserved(call)
    apply(schedule, call, "end_behavior metadata")
    if "phases" in call:
        current = schedule["current_phase"]
        given = call["phases"]
        start = given[0].get("start_date") or (current or schedule["phases"][0])["start_date"]
        schedule["phases"] = _phases(session, given, int(start))
        now = session.now(schedule)
        running = next((phase for phase in schedule["phases"] if phase["start_date"] <= now < phase["end_date"]), None)
        if current and running is None:
            raise ApiError("The current phase must be among the phases.", param="phases")
        if current and running:
            phase = {**running, "proration_behavior": call.get("proration_behavior", "create_prorations")}
            _enter(session, schedule, phase)
    emit(session, "subscription_schedule.updated", schedule)
    return schedule


def _running(session: Session, id_: str) -> Doc:
    schedule = session.need("subscription_schedule", id_)
    if schedule["status"] in OVER:
        raise ApiError(f"You cannot change a subscription schedule that is {schedule['status']}.")
    return schedule


@post("/v1/subscription_schedules/{schedule}/release", "")
def release(call: Call, id_: str) -> Doc:
    schedule = _running(call.session, id_)
    _release(call.session, schedule)
    return schedule


def _release(session: Session, schedule: Doc) -> None:
    subscription = session.get(schedule["subscription"])
    schedule.update(
        status="released",
        released_at=session.now(schedule),
        released_subscription=schedule["subscription"],
        subscription=None,
        current_phase=None,
    )
    if subscription:
        subscription["schedule"] = None
        emit(session, "customer.subscription.updated", subscription)
    emit(session, "subscription_schedule.released", schedule)


@post("/v1/subscription_schedules/{schedule}/cancel", "invoice_now prorate")
def cancel(call: Call, id_: str) -> Doc:
    session = call.session
    schedule = _running(session, id_)
    subscription = session.get(schedule["subscription"])
    if subscription and subscription["status"] != "canceled":
        prorate, invoice_now = bool(call.get("prorate", True)), bool(call.get("invoice_now", True))
        ending.end(session, subscription, session.now(subscription), None, prorate=prorate, invoice_now=invoice_now)
    schedule.update(status="canceled", canceled_at=session.now(schedule), current_phase=None)
    emit(session, "subscription_schedule.canceled", schedule)
    return schedule


def _next_due(schedule: Doc) -> int | None:
    if schedule["status"] == "not_started":
        return int(schedule["phases"][0]["start_date"])
    return int(schedule["current_phase"]["end_date"]) if schedule["status"] == "active" else None


def enter_early(session: Session, schedule: Doc, moment: int) -> None:
    """In a preview: what will have changed by then, as if it were then already."""
    due = _next_due(schedule)
    if due is None or due > moment:
        return
    phase = _following(schedule)
    if phase:
        _enter(session, schedule, {**phase, "proration_behavior": "none"})
    else:
        _act(session, schedule, moment)


def _following(schedule: Doc) -> Doc | None:
    done = schedule["current_phase"]["end_date"] if schedule["current_phase"] else 0
    return next((phase for phase in schedule["phases"] if phase["start_date"] >= done), None)


def _act(session: Session, schedule: Doc, now: int) -> None:
    """Into the next phase, or to the end."""
    phase = _following(schedule)
    if phase:
        _enter(session, schedule, phase)
        return
    subscription = session.get(schedule["subscription"])
    if schedule["end_behavior"] == "cancel" and subscription and subscription["status"] != "canceled":
        ending.end(session, subscription, now, None, bill_usage=True)
        schedule.update(status="completed", completed_at=session.now(schedule), current_phase=None)
        emit(session, "subscription_schedule.completed", schedule)
    else:
        _release(session, schedule)


NEXT_DUE["subscription_schedule"] = _next_due
clock.ACTIONS["subscription_schedule"] = _act
