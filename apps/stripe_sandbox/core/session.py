"""One transaction: documents are loaded once, changed in place, and written when they differ from what was loaded."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from apps.stripe_sandbox.core.errors import missing
from apps.stripe_sandbox.core.ids import new_id
from apps.stripe_sandbox.core.shapes import Doc, complete

NEXT_DUE: dict[str, Callable[[Doc], int | None]] = {}
"""By type of object: when it next acts by itself, computed from the object alone."""
PARENTS = {
    "charge": "payment_intent",
    "credit_note": "invoice",
    "dispute": "charge",
    "invoice_payment": "invoice",
    "invoiceitem": "invoice",
    "price": "product",
    "product_feature": "_product",
    "promotion_code": "_coupon",
    "refund": "charge",
    "subscription_schedule": "subscription",
    "invoice": "_subscription",
    "checkout.session": "subscription",
}
LOOKUPS = {
    "price": "lookup_key",
    "promotion_code": "code",
    "billing.meter": "event_name",
    "entitlements.feature": "lookup_key",
    "customer": "email",
    "event": "type",
}


SELECT = "SELECT id, body FROM documents WHERE object = ? AND gone = 0 AND"
ENCODE = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Session:
    """What one request, or one step of a clock, reads and writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.request: dict[str, str | None] = {"id": None, "idempotency_key": None}
        self.rehearsing = False
        self._docs: dict[str, Doc] = {}
        self._stored: dict[str, str] = {}
        self._published: dict[str, Doc | str] = {}
        self._offset: int | None = None
        self._settings: dict[str, str | None] = {}
        self._endpoints: list[tuple[str, list[str]]] | None = None

    # -- documents

    def get(self, id_: str | None) -> Doc | None:
        """The object with this id, deleted ones included."""
        if id_ is None:
            return None
        if id_ not in self._docs:
            row = self.connection.execute("SELECT body FROM documents WHERE id = ?", (id_,)).fetchone()
            if row is None:
                return None
            self._keep(id_, row[0])
        return self._docs[id_]

    def need(self, object_: str, id_: str, param: str = "id") -> Doc:
        """The object of this type and id, or 404."""
        doc = self.get(id_)
        if doc is None or doc["object"] != object_ or doc.get("deleted"):
            raise missing(
                object_.rsplit(".", 1)[-1].replace("_", " ") if object_ != "invoiceitem" else "invoiceitem", id_, param
            )
        return doc

    def add(self, object_: str, created: int, **fields: Any) -> Doc:
        """A new object, complete in Stripe's shape; `id` may be given."""
        doc = complete(
            {
                "id": fields.pop("id", None) or new_id(object_),
                "object": object_,
                **_with_created(object_, created),
                **fields,
            }
        )
        self._docs[doc["id"]] = doc
        return doc

    def remove(self, doc: Doc) -> None:
        """Take an object away as if it had never been."""
        self.connection.execute("DELETE FROM documents WHERE id = ?", (doc["id"],))
        for cache in (self._docs, self._stored, self._published):
            cache.pop(doc["id"], None)

    def find(self, object_: str, where: str = "1", *values: Any, order: str = "seq", limit: int = -1) -> list[Doc]:
        """Objects of a type, by columns (customer, parent, lookup, clock, due, created) or `body ->> '$.field'`."""
        self.flush(object_)
        query = " ".join((SELECT, where, "ORDER BY", order, "LIMIT ?"))
        rows = self.connection.execute(query, (object_, *values, limit)).fetchall()
        for id_, body in rows:
            if id_ not in self._docs:
                self._keep(id_, body)
        return [self._docs[id_] for id_, _ in rows]

    def _keep(self, id_: str, body: str) -> None:
        self._docs[id_] = json.loads(body)
        self._stored[id_] = self._published[id_] = body

    def flush(self, object_: str | None = None) -> None:
        """Write what has changed, of one type or of all."""
        for id_, doc in list(self._docs.items()):
            if object_ is not None and doc["object"] != object_:
                continue
            body = ENCODE(doc)
            stored = self._stored.get(id_)
            if body != stored:
                self._stored[id_] = body
                self._write(doc, body, new=stored is None)

    def _write(self, doc: Doc, body: str, *, new: bool) -> None:
        object_ = doc["object"]
        next_due = NEXT_DUE.get(object_)
        gone = bool(doc.get("deleted"))
        columns = (
            doc.get("_listed_under", object_),
            _created(doc),
            doc.get("customer") if isinstance(doc.get("customer"), str) else None,
            doc.get(PARENTS.get(object_, "")),
            doc.get(LOOKUPS.get(object_, "")),
            doc.get("test_clock") or doc.get("_clock"),
            next_due(doc) if next_due and not gone and not doc.get("_stuck") else None,
            gone,
            body,
            doc["id"],
        )
        if new:
            self.connection.execute(
                "INSERT INTO documents (object, created, customer, parent, lookup, clock, due, gone, body, id) VALUES "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                columns,
            )
        else:
            self.connection.execute(
                "UPDATE documents SET object = ?, created = ?, customer = ?, parent = ?, lookup = ?, clock = ?, due = "
                "?, gone = ?, body = ? WHERE id = ?",
                columns,
            )

    def forget(self) -> None:
        """Forget what is loaded, changes that were not flushed included."""
        self._docs.clear()
        self._stored.clear()
        self._published.clear()

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What happens inside leaves no trace: no write, no event. Objects loaded before must be fetched again
        after."""
        self.flush()
        kept = (self._docs, self._stored, self._published, self.rehearsing)
        self.connection.execute("SAVEPOINT rehearsal")
        self._docs, self._stored, self._published, self.rehearsing = {}, {}, {}, True
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK TO rehearsal")
            self.connection.execute("RELEASE rehearsal")
            self._docs, self._stored, self._published, self.rehearsing = kept
            self._settings.clear()

    def link(self, part: str, owner: str) -> None:
        """Remember in which object a part is, such as an item in its subscription."""
        self.connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?)", (part, owner))

    def owner(self, part: str) -> Doc | None:
        """The object that a part is in."""
        row = self.connection.execute("SELECT owner FROM parts WHERE id = ?", (part,)).fetchone()
        return self.get(row[0]) if row else None

    # -- what events tell

    def last_published(self, doc: Doc) -> Doc | None:
        """The object as the last event, or else the last transaction, left it."""
        known = self._published.get(doc["id"])
        return json.loads(known) if isinstance(known, str) else known

    def mark_published(self, doc: Doc, shown: Doc) -> None:
        """What an event has just told of the object; it must not be changed after."""
        self._published[doc["id"]] = shown

    def endpoints(self) -> list[tuple[str, list[str]]]:
        """The webhook endpoints that are enabled, and the types of events that each wants."""
        if self._endpoints is None:
            self.flush("webhook_endpoint")
            rows = self.connection.execute(
                "SELECT id, body ->> '$.enabled_events' FROM documents WHERE object = 'webhook_endpoint' AND gone = 0 "
                "AND body ->> '$.status' = 'enabled' ORDER BY seq"
            )
            self._endpoints = [(id_, json.loads(events)) for id_, events in rows]
        return self._endpoints

    # -- settings and time

    def setting(self, name: str, default: Any = None) -> Any:
        if name not in self._settings:
            row = self.connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            self._settings[name] = row[0] if row else None
        text = self._settings[name]
        return default if text is None else json.loads(text)

    def set_setting(self, name: str, value: Any) -> None:
        self.connection.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )
        self._settings.pop(name, None)
        self._offset = None

    def next_number(self, name: str) -> int:
        """Counts without gaps: the number is taken back with the transaction."""
        number = int(self.setting(f"count {name}", 0)) + 1
        self.set_setting(f"count {name}", number)
        return number

    @property
    def time(self) -> int:
        """The time where no test clock rules: the machine's, and what `/_sandbox/advance` has added."""
        if self._offset is None:
            self._offset = int(self.setting("time offset", 0))
        return int(time.time()) + self._offset

    def now(self, doc: Doc | None = None) -> int:
        """The time for an object: its test clock's, or its customer's."""
        clock_id = doc and (doc.get("test_clock") or doc.get("_clock"))
        if doc and not clock_id and isinstance(doc.get("customer"), str):
            customer = self.get(doc["customer"])
            clock_id = customer and customer.get("test_clock")
        clock = self.get(clock_id) if clock_id else None
        return int(clock["frozen_time"]) if clock else self.time


def _with_created(object_: str, created: int) -> Doc:
    return {} if object_ in UNDATED else {"created": created}


UNDATED = frozenset(
    {
        "invoiceitem",
        "product_feature",
        "entitlements.feature",
        "entitlements.active_entitlement",
        "discount",
        "item",
        "line_item",
        "credit_note_line_item",
        "tax.settings",
        "billing.meter_event_adjustment",
        "billing.meter_event_summary",
        "account",
    }
)


def _created(doc: Doc) -> int:
    return int(doc.get("created") or doc.get("date") or doc.get("start") or doc.get("_created") or 0)
