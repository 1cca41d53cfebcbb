"""Events: what changed, in the order in which it did, with the attributes as they were before."""

from __future__ import annotations

from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.core.session import ENCODE, Session
from apps.stripe_sandbox.core.shapes import Doc, public
from apps.stripe_sandbox.core.version import API_VERSION


def emit(session: Session, type_: str, doc: Doc) -> None:
    """Record an event about an object and hand it to every endpoint that asked for it.

    The attributes before are those of the last event about the object (or of the last transaction), so that the
    events of one request tell one story, none of them twice.
    """
    if session.rehearsing:
        return
    data: Doc = {"object": present(session, doc)}
    if type_.endswith((".updated", ".reporting_period_changed")):
        before = session.last_published(doc)
        data["previous_attributes"] = differences(before, data["object"]) if before else {}
        if before and not data["previous_attributes"]:
            return  # Nothing that anybody can see has changed.
    session.mark_published(doc, data["object"])
    clock = doc.get("test_clock") or doc.get("_clock")
    event = {
        "id": new_id("event"),
        "object": "event",
        "api_version": API_VERSION,
        "created": session.now(doc),
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": dict(session.request),
        "type": type_,
        "_clock": clock,
        "_listed_under": "event",
    }
    endpoints = [id_ for id_, wanted in session.endpoints() if type_ in wanted or "*" in wanted]
    event["pending_webhooks"] = len(endpoints)
    session.connection.execute(
        "INSERT INTO documents (id, object, created, lookup, clock, body) VALUES (?, 'event', ?, ?, ?, ?)",
        (event["id"], event["created"], type_, clock, ENCODE(event)),
    )
    if not endpoints:
        return
    session.connection.executemany(
        "INSERT INTO deliveries (event, endpoint, due) VALUES (?, ?, ?)",
        [(event["id"], endpoint, session.time) for endpoint in endpoints],
    )


def differences(before: Doc, after: Doc) -> Doc:
    """What `before` had otherwise, of what is not ours alone: nested objects only in what differs, lists whole, new
    keys as null."""
    found: Doc = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key), after.get(key)
        if key[0] == "_" or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            inner = differences(old, new)
            if inner:
                found[key] = inner
        elif public(old) != new:
            found[key] = public(old)
    return found
