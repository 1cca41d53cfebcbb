"""What the sandbox holds: objects, events, deliveries, clocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apps.stripe_sandbox.core.errors import ApiError, missing
from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.objects import clocks
from apps.stripe_sandbox.pages.layout import page, redirect
from apps.stripe_sandbox.pages.markup import Markup, html, join, table

if TYPE_CHECKING:
    from apps.stripe_sandbox.pages.routes import Visit

NAVIGATION = html(
    '<nav aria-label=Sandbox><a href="/">Objects</a><a href="/objects/event">Events</a><a '
    'href="/deliveries">Deliveries</a><a href="/clocks">Clocks</a></nav>'
)
SHOWN = 100


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _link(id_: str) -> Markup:
    return html('<a href="/object/{id}">{id}</a>', id=id_)


def _framed(title: str, body: Markup) -> Response:
    return page(
        f"{title} · Sandbox",
        join([NAVIGATION, html("<section class=card><h1>{title}</h1>{body}</section>", title=title, body=body)]),
        wide=True,
    )


def show(visit: Visit) -> Response:
    rows = visit.session.connection.execute(
        "SELECT object, count(*) FROM documents WHERE gone = 0 GROUP BY object ORDER BY object"
    )
    cells = [(html('<a href="/objects/{name}">{name}</a>', name=name), count) for name, count in rows]
    return _framed("Objects", table(("Type", "Number"), cells, "Objects"))


def show_type(visit: Visit, object_: str) -> Response:
    found = visit.session.find(object_, order="seq DESC", limit=SHOWN)
    rows = [(_link(doc["id"]), _moment(doc.get("created") or doc.get("date") or 0), _what(doc)) for doc in found]
    return _framed(object_, table(("Id", "Created (UTC)", "What"), rows, object_))


def _what(doc: dict[str, object]) -> str:
    names = ("type", "status", "name", "email", "number", "amount", "currency", "url")
    return " · ".join(str(doc[name]) for name in names if doc.get(name) not in (None, ""))


def show_object(visit: Visit, id_: str) -> Response:
    doc = visit.session.get(id_)
    if doc is None:
        raise missing("object", id_)
    text = json.dumps(present(visit.session, doc), indent=2)
    return _framed(id_, html('<pre tabindex=0 aria-label="The object in JSON">{text}</pre>', text=text))


def show_deliveries(visit: Visit) -> Response:
    rows = visit.session.connection.execute(
        "SELECT d.event, e.lookup, d.attempts, d.delivered, d.due, d.log FROM deliveries d JOIN documents e ON e.id = "
        "d.event ORDER BY d.seq DESC LIMIT ?",
        (SHOWN,),
    )
    cells = [
        (
            _link(event),
            type_,
            attempts,
            "delivered" if delivered else f"next {_moment(due)}" if due else "given up",
            ", ".join(str(entry["outcome"]) for entry in json.loads(log)),
        )
        for event, type_, attempts, delivered, due, log in rows
    ]
    return _framed("Deliveries", table(("Event", "Type", "Attempts", "State", "Answers"), cells, "Deliveries"))


def show_clocks(visit: Visit) -> Response:
    found = visit.session.find("test_helpers.test_clock", order="seq DESC", limit=SHOWN)
    rows = [
        (_link(clock["id"]), clock["name"], _moment(clock["frozen_time"]), clock["status"], _advance_form(clock["id"]))
        for clock in found
    ]
    return _framed("Clocks", table(("Clock", "Name", "Time (UTC)", "State", "Advance"), rows, "Clocks"))


def _advance_form(id_: str) -> Markup:
    return html(
        '<form method=post action="/clocks/{id}" class=actions><label><span class=hidden>Days for {id}</span><input '
        "name=days type=number min=1 max=730 value=1></label><button class=quiet>Advance by days</button></form>",
        id=id_,
    )


def advance_clock(visit: Visit, id_: str) -> Response:
    days = visit.form.get("days", "")
    if not days.isdigit() or not 1 <= int(days) <= 730:
        raise ApiError("A number of days from 1 to 730.")
    clock = visit.session.need("test_helpers.test_clock", id_)
    clocks.start(visit.session, clock, clock["frozen_time"] + int(days) * 86_400)
    return redirect("/clocks")
