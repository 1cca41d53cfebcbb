"""Objects as they are answered: without what is ours, and expanded as asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.stripe_sandbox.contract.annotations import fields
from apps.stripe_sandbox.contract.types import Expandable, ListOf, OneOf, PageOf, Record, Type
from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import INCLUDABLE, Doc, public, record_of

Includer = Callable[[Session, Doc], Any]
INCLUDERS: dict[tuple[str, str], Includer] = {}
REFRESHERS: dict[str, Callable[[Session, Doc], None]] = {}
"""By type: brings what is computed up to date before an object is shown."""


def includes(object_: str, field: str) -> Callable[[Includer], Includer]:
    """Declare how a field is computed that appears only when expanded."""

    def register(function: Includer) -> Includer:
        INCLUDERS[object_, field] = function
        return function

    return register


def present(session: Session, doc: Doc, expand: list[str] | None = None) -> Doc:
    """A copy of the object, or of a list of objects, to be answered."""
    shown = _shown(session, doc)
    for path in expand or []:
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > 4:
            raise ApiError("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(session, shown, steps, path, None)
    return shown


def _shown(session: Session, doc: Doc) -> Doc:
    if doc.get("object") in ("list", "search_result"):
        return {**doc, "data": [_shown(session, item) for item in doc["data"]]}
    refresh = REFRESHERS.get(doc.get("object", ""))
    if refresh and not doc.get("deleted"):
        refresh(session, doc)
    shown: Doc = public(doc)
    return shown


def _expand(session: Session, holder: Any, steps: list[str], path: str, record: Record | None) -> None:
    if isinstance(holder, list):
        for item in holder:
            _expand(session, item, steps, path, record)
        return
    if not isinstance(holder, dict):
        return
    step, rest = steps[0], steps[1:]
    if holder.get("object") in ("list", "search_result") and step == "data":
        _expand(session, holder["data"], rest, path, record)
        return
    record = record_of(holder["object"]) if "object" in holder and holder["object"] != "list" else record
    declared = fields(record).get(step) if record else None
    if declared is None or holder.get("deleted"):
        raise _cannot(path)
    if step not in holder and step in INCLUDABLE.get(holder.get("object", ""), ()):
        holder[step] = _included(session, holder, step)
    _open(session, holder, step, declared.type, final=not rest, path=path)
    if rest:
        _expand(session, holder.get(step), rest, path, _record_inside(declared.type))


def _included(session: Session, holder: Doc, step: str) -> Any:
    compute = INCLUDERS.get((holder["object"], step))
    source = session.get(holder["id"]) or holder
    return public(compute(session, source) if compute else source.get(f"_{step}"))


def _open(session: Session, holder: Doc, step: str, type_: Type, *, final: bool, path: str) -> None:
    """Put objects in place of their ids."""
    value = holder.get(step)
    expandable = _expandable(type_)
    if expandable and isinstance(value, str):
        holder[step] = _fetched(session, value)
    elif expandable and isinstance(value, list):
        holder[step] = [_fetched(session, item) if isinstance(item, str) else item for item in value]
    elif final and not expandable and step not in INCLUDABLE.get(holder.get("object", ""), ()):
        raise _cannot(path)


def _fetched(session: Session, id_: str) -> Any:
    doc = session.get(id_)
    if doc is None:
        return id_
    if doc.get("deleted"):
        return {"id": id_, "object": doc["object"], "deleted": True}
    return _shown(session, doc)


def _expandable(type_: Type) -> bool:
    if isinstance(type_, (ListOf, PageOf)):
        return _expandable(type_.item)
    return isinstance(type_, Expandable) or (
        isinstance(type_, OneOf) and any(_expandable(option) for option in type_.options)
    )


def _record_inside(type_: Type) -> Record | None:
    if isinstance(type_, Record):
        return type_
    if isinstance(type_, (ListOf, PageOf, Expandable)):
        return _record_inside(type_.item)
    return None


def _cannot(path: str) -> ApiError:
    return ApiError(f"This property cannot be expanded ({path}).", param="expand")
