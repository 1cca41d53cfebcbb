"""Test clocks."""

from __future__ import annotations

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.lists import serve_list, serve_object
from apps.stripe_sandbox.core.routes import Call, delete, post
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import customers

KEPT_FOR = 30 * 86_400
LONGEST_ADVANCE = 2 * 366 * 86_400

serve_list("/v1/test_helpers/test_clocks", "test_helpers.test_clock")
serve_object("/v1/test_helpers/test_clocks/{test_clock}", "test_helpers.test_clock")


@post("/v1/test_helpers/test_clocks", "frozen_time name")
def create(call: Call) -> Doc:
    clock = call.session.add(
        "test_helpers.test_clock",
        call.session.time,
        deletes_after=call.session.time + KEPT_FOR,
        frozen_time=call["frozen_time"],
        name=call.get("name"),
        status="ready",
        status_details={},
        _target=None,
    )
    emit(call.session, "test_helpers.test_clock.created", clock)
    return clock


@post("/v1/test_helpers/test_clocks/{test_clock}/advance", "frozen_time")
def advance(call: Call, id_: str) -> Doc:
    """Answers at once; the clock then moves through all that comes by itself, and is `ready` when it has arrived."""
    clock = call.session.need("test_helpers.test_clock", id_)
    start(call.session, clock, call["frozen_time"])
    return clock


def start(session: Session, clock: Doc, target: int) -> None:
    if clock["status"] == "advancing":
        raise ApiError("Test clock advancement underway - cannot perform modifications.", status=429)
    if target <= clock["frozen_time"]:
        raise ApiError("A test clock can only be advanced into the future.", param="frozen_time")
    if target > clock["frozen_time"] + LONGEST_ADVANCE:
        raise ApiError("A test clock can be advanced by at most two years at a time.", param="frozen_time")
    clock.update(status="advancing", _target=target, status_details={"advancing": {"target_frozen_time": target}})
    emit(session, "test_helpers.test_clock.advancing", clock)


@delete("/v1/test_helpers/test_clocks/{test_clock}")
def remove(call: Call, id_: str) -> Doc:
    session = call.session
    clock = session.need("test_helpers.test_clock", id_)
    for customer in session.find("customer", "clock = ?", id_):
        customers.delete_customer(session, customer)
    clock["deleted"] = True
    emit(session, "test_helpers.test_clock.deleted", clock)
    return {"id": id_, "object": "test_helpers.test_clock", "deleted": True}
