"""Stripe's search language for customers, subscriptions, invoices and the like: `status:"active" AND
metadata["tenant"]:"acme"`."""

from __future__ import annotations

import base64
import re
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.lists import page_size
from apps.stripe_sandbox.core.routes import Call, get
from apps.stripe_sandbox.core.shapes import Doc

CLAUSE = re.compile(
    r"""\s*(?P<minus>-)?(?P<field>[\w.]+)(\[["'](?P<key>[^"']+)["']\])?\s*(?P<sign>:|~|>=|<=|>|<)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|null|-?\d{1,18}(?!\d))\s*"""
)
WHOLE = re.compile(r"-?\d{1,18}")
LAST = 1_000_000
JOINT = re.compile(r"(AND|OR)\b", re.IGNORECASE)


def serve_search(path: str, object_: str, fields: str) -> None:
    """Serve the search of one type by these fields."""
    names = {name.rstrip("~#"): name[-1] for name in fields.split()}

    @get(path, "query limit page")
    def search(call: Call) -> Doc:
        where, values = parse(call["query"], names)
        limit, start = page_size(call), _offset(call.get("page"))
        order = "created DESC, seq DESC"
        found = call.session.find(object_, f"({where})", *values, order=order, limit=start + limit + 1)[start:]
        more = len(found) > limit
        next_page = base64.urlsafe_b64encode(str(start + limit).encode()).decode() if more else None
        return {"object": "search_result", "data": found[:limit], "has_more": more, "next_page": next_page, "url": path}


def _offset(token: str | None) -> int:
    try:
        offset = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        offset = -1
    if not 0 <= offset <= LAST:
        raise ApiError("Invalid page", param="page")
    return offset


def parse(query: str, names: dict[str, str]) -> tuple[str, list[Any]]:
    """SQL for a query. AND and OR cannot be mixed, as with Stripe."""
    conditions: list[str] = []
    values: list[Any] = []
    joints: set[str] = set()
    rest = query
    while True:
        match = CLAUSE.match(rest)
        if match is None:
            raise ApiError(f"We were unable to parse your search query: {query}", param="query")
        condition, given = _clause(match, names)
        conditions.append(condition)
        values += given
        rest = rest[match.end() :]
        if not rest:
            break
        joint = JOINT.match(rest)
        joints.add(joint[1].upper() if joint else "AND")
        rest = rest[joint.end() :] if joint else rest
    if len(joints) > 1:
        raise ApiError("You cannot combine AND and OR in the same search query.", param="query")
    return f" {joints.pop() if joints else 'AND'} ".join(conditions), values


def _clause(match: re.Match[str], names: dict[str, str]) -> tuple[str, list[Any]]:
    field, sign, text = match["field"], match["sign"], match["value"]
    if field not in names and not (field == "metadata" and match["key"]):
        raise ApiError(f"Field `{field}` is an unsupported search field for this resource.", param="query")
    column = "created" if field == "created" else "body ->> ?"
    parameters: list[Any] = (
        [] if field == "created" else [f'$.metadata."{match["key"]}"' if match["key"] else f"$.{field}"]
    )
    if text == "null":
        condition = f"{column} IS NULL"
    else:
        value = re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] in "\"'" else int(text)
        value = {"true": 1, "false": 0}.get(str(value), value) if field == "active" else value
        condition, value = _comparison(column, sign, value, numeric=names.get(field, "") == "#")
        parameters.append(value)
    return (f"NOT coalesce({condition}, 0)" if match["minus"] else condition), parameters


def _comparison(column: str, sign: str, value: str | int, *, numeric: bool) -> tuple[str, Any]:
    if numeric and not WHOLE.fullmatch(str(value)):
        raise ApiError("Numbers are searched for by whole numbers.", param="query")
    if sign == "~":
        return f"{column} LIKE ? ESCAPE '\\'", "%" + re.sub(r"([%_\\])", r"\\\1", str(value)) + "%"
    if sign == ":":
        whole = numeric or isinstance(value, int)
        return (f"{column} = ?", int(value)) if whole else (f"{column} = ? COLLATE NOCASE", value)
    if not numeric:
        raise ApiError("Only numbers can be compared in a search query.", param="query")
    return f"{column} {sign} ?", int(value)


serve_search("/v1/customers/search", "customer", "created# email~ name~ phone~")
serve_search("/v1/subscriptions/search", "subscription", "created# status~")
serve_search("/v1/invoices/search", "invoice", "created# currency~ customer~ number~ status~ total#")
serve_search("/v1/products/search", "product", "active~ description~ name~ url~")
serve_search("/v1/prices/search", "price", "active~ currency~ lookup_key~ product~ type~")
serve_search("/v1/charges/search", "charge", "amount# created# currency~ customer~ status~")
serve_search("/v1/payment_intents/search", "payment_intent", "amount# created# currency~ customer~ status~")
