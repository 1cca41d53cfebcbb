"""Lists: filters, the newest first, pages in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.routes import Call, get
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc, page

PAGE = "limit starting_after ending_before"
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
COLUMNS = {"customer": "customer", "created": "created", "test_clock": "clock"}
Filter = Callable[[Session, Any], tuple[str, tuple[Any, ...]]]


def serve_list(path: str, object_: str, filters: str = "", **special: Filter) -> None:
    """Serve a list with filters by fields of the same name, and by `special` ones."""
    names = [*filters.split(), *special]

    @get(path, " ".join([PAGE, *names]))
    def list_objects(call: Call, *ids: str) -> Doc:
        conditions = []
        for name in names:
            if name in call.params:
                make = special.get(name)
                conditions.append(make(call.session, call[name]) if make else _equal(name, call[name]))
        return listed(call, object_, path.format(*ids) if ids else path, conditions)


def _equal(name: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    column = COLUMNS.get(name, f"body ->> '$.{name}'")
    if isinstance(value, dict):
        return " AND ".join(f"{column} {COMPARISONS[key]} ?" for key in value), tuple(value.values())
    if value is None:
        return f"{column} IS NULL", ()
    return f"{column} = ?", (int(value) if isinstance(value, bool) else value,)


def listed(call: Call, object_: str, url: str, conditions: list[tuple[str, tuple[Any, ...]]]) -> Doc:
    """One page of objects."""
    limit = page_size(call)
    where = [text for text, _ in conditions]
    values = [value for _, given in conditions for value in given]
    backward = "ending_before" in call.params
    cursor = call.get("ending_before") or call.get("starting_after")
    if cursor:
        call.session.flush()
        row = call.session.connection.execute("SELECT created, seq FROM documents WHERE id = ?", (cursor,)).fetchone()
        if row is None:
            raise cursor_missing(call, object_, cursor)
        where.append(f"(created, seq) {'>' if backward else '<'} (?, ?)")
        values += list(row)
    direction = "ASC" if backward else "DESC"
    order = f"created {direction}, seq {direction}"
    found = call.session.find(object_, " AND ".join(where) or "1", *values, order=order, limit=limit + 1)
    more, found = len(found) > limit, found[:limit]
    return page(found[::-1] if backward else found, url, has_more=more)


def page_size(call: Call) -> int:
    limit = int(call.get("limit", 10))
    if not 1 <= limit <= 100:
        raise ApiError("This value must be between 1 and 100.", code="parameter_invalid_integer", param="limit")
    if "starting_after" in call.params and "ending_before" in call.params:
        raise ApiError("You may only specify one of these parameters: starting_after, ending_before.")
    return limit


def cursor_missing(call: Call, object_: str, cursor: str) -> ApiError:
    param = "ending_before" if "ending_before" in call.params else "starting_after"
    return ApiError(f"No such {object_}: '{cursor}'", code="resource_missing", param=param)


def slice_page(call: Call, items: list[Doc], url: str) -> Doc:
    """A page of a list that is held in memory, in its own order."""
    limit = page_size(call)
    cursor = call.get("ending_before") or call.get("starting_after")
    positions = [index for index, item in enumerate(items) if item["id"] == cursor]
    if cursor and not positions:
        raise cursor_missing(call, "object", cursor)
    if cursor and "ending_before" in call.params:
        before = items[: positions[0]]
        return page(before[-limit:], url, has_more=len(before) > limit)
    rest = items[positions[0] + 1 :] if cursor else items
    return page(rest[:limit], url, has_more=len(rest) > limit)


def serve_object(path: str, object_: str) -> None:
    """Serve an object by its id, also after it was deleted."""

    @get(path)
    def retrieve(call: Call, *ids: str) -> Doc:
        doc = call.session.get(ids[-1])
        if doc is not None and doc["object"] == object_ and doc.get("deleted") and object_ == "customer":
            return {"id": doc["id"], "object": object_, "deleted": True}
        return call.session.need(object_, ids[-1])
