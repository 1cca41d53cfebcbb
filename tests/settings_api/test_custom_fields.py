"""The API of custom fields, and what they let into projects."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from .callers import API, fields, send


def define(client: Client, kind: str = "text", key: str = "field", **more: Any) -> Any:
    return send(client, "POST", "/custom-fields", {"key": key, "label": "Field", "kind": kind, **more})


UNSEEN = ["a\x1bb", "a\nb", "a\x9bb", "a\u202eb", "a\u2067b", "a\u200bb", "a\u2d7fb", "a\ufffeb", "a\u0378b"]
VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "text": (["a", "ü" * 1000, "<b>"], ["x" * 1001, 1, True, ["a"], {"a": 1}, "a\x00b", *UNSEEN]),
    "number": ([0, -1, 2.5, 1e300, 2**53 - 1], ["1", True, [1], {"a": 1}, 2**53, -(2**53), 10**300]),
    "date": (["2026-02-28", "0001-01-01"], ["2026-02-30", "28.02.2026", "20260228", 20260228, True]),
    "boolean": ([True, False], ["true", 0, 1]),
    "choice": (["red", "blue"], ["green", "RED", 1, ["red"], {"red": 1}]),
}

TABLE = [(kind, value, i == 0) for kind, both in VALUES.items() for i, values in enumerate(both) for value in values]


@pytest.mark.parametrize(("kind", "value", "valid"), TABLE, ids=lambda v: str(v)[:12])
def test_custom_field__given_a_value__takes_what_is_of_its_kind(acme, client, kind, value, valid):
    define(client, kind, choices=["red", "blue"] if kind == "choice" else [])

    response = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": value}})

    if valid:
        assert (response.status_code, response.json()["custom_fields"]) == (201, {"field": value})
    else:
        assert (response.status_code, fields(response)) == (400, {"custom_fields.field"})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_custom_field__given_a_number_that_is_none__is_refused(acme, client, text):
    define(client, "number")
    body = f'{{"name": "Plan", "custom_fields": {{"field": {text}}}}}'

    response = client.post(f"{API}/projects", body, content_type="application/json")

    assert response.status_code == 400


def test_custom_field__required_or_unknown__names_the_field(acme, client):
    define(client, "text", required=True)

    missing = send(client, "POST", "/projects", {"name": "Plan"})
    empty = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": ""}})
    unknown = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": "x", "other": 1}})

    assert [fields(r) for r in (missing, empty)] == [{"custom_fields.field"}] * 2
    assert fields(unknown) == {"custom_fields.other"}


def test_custom_fields__of_a_project__change_one_by_one(acme, client):
    define(client, "text", "a")
    define(client, "number", "b")
    project = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"a": "x", "b": 1}}).json()
    path = f"/projects/{project['id']}"

    changed = send(client, "PATCH", path, {"custom_fields": {"b": 2}}).json()["custom_fields"]
    cleared = send(client, "PATCH", path, {"custom_fields": {"a": None}}).json()["custom_fields"]
    untouched = send(client, "PATCH", path, {"name": "Better"}).json()["custom_fields"]

    assert (changed, cleared, untouched) == ({"a": "x", "b": 2}, {"b": 2}, {"b": 2})


def test_custom_field__deleted__does_not_stand_in_the_way_of_the_others(acme, client):
    gone = define(client, "text", "gone").json()
    define(client, "number", "kept")
    project = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"gone": "x", "kept": 1}}).json()

    assert send(client, "DELETE", f"/custom-fields/{gone['id']}").status_code == 204
    changed = send(client, "PATCH", f"/projects/{project['id']}", {"custom_fields": {"kept": 2}})

    assert (changed.status_code, changed.json()["custom_fields"]) == (200, {"kept": 2})


KEPT: dict[str, tuple[Any, Any]] = {
    "text": ("a", "b"),
    "number": (1, 2),
    "boolean": (True, False),
    "date": ("2026-02-28", "2026-03-01"),
}
BECOMES = {
    "deleted": lambda client, field: send(client, "DELETE", f"/custom-fields/{field['id']}"),
    "deleted and made anew of another kind": lambda client, field: (
        send(client, "DELETE", f"/custom-fields/{field['id']}"),
        define(client, "choice", choices=["x"]),
    ),
}


@pytest.mark.parametrize("end", BECOMES)
@pytest.mark.parametrize("kind", KEPT)
def test_custom_field__whatever_became_of_it__lets_what_was_read_be_sent_back(acme, client, kind, end):
    kept, other = KEPT[kind]
    field = define(client, kind).json()
    define(client, "text", "beside")
    project = send(
        client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": kept, "beside": "x"}}
    ).json()
    path = f"/projects/{project['id']}"
    BECOMES[end](client, field)
    read = send(client, "GET", path).json()["custom_fields"]

    back = send(client, "PATCH", path, {"custom_fields": read})
    changed = send(client, "PATCH", path, {"custom_fields": {**read, "field": other}})
    beside = send(client, "PATCH", path, {"custom_fields": {**read, "beside": "y"}})
    cleared = send(client, "PATCH", path, {"custom_fields": {"field": None}})

    assert read == {"field": kept, "beside": "x"}
    assert (back.status_code, back.json()["custom_fields"]) == (200, read)
    assert (changed.status_code, fields(changed)) == (400, {"custom_fields.field"})
    assert beside.json()["custom_fields"] == {"field": kept, "beside": "y"}
    assert cleared.json()["custom_fields"] == {"beside": "y"}


def test_choice__that_is_none_any_more__may_be_sent_back(acme, client):
    field = define(client, "choice", choices=["red", "blue"]).json()
    project = send(client, "POST", "/projects", {"name": "Plan", "custom_fields": {"field": "red"}}).json()
    send(client, "PATCH", f"/custom-fields/{field['id']}", {"choices": ["blue"]})

    answers = [
        send(client, "PATCH", f"/projects/{project['id']}", {"custom_fields": {"field": value}}).status_code
        for value in ("red", "blue", "red")
    ]

    assert answers == [200, 200, 400]


BAD_FIELDS = [
    ({"key": "Upper"}, 400, "key"),
    ({"key": "1st"}, 400, "key"),
    ({"key": "a" * 41}, 400, "key"),
    ({"key": "a\n"}, 201, ""),
    ({"key": "taken"}, 409, "key"),
    ({"label": ""}, 400, "label"),
    ({"kind": "file"}, 400, "kind"),
    ({"kind": "choice"}, 400, "choices"),
    ({"kind": "text", "choices": ["a"]}, 400, "choices"),
    ({"kind": "choice", "choices": ["x"] * 51}, 400, "choices"),
]


@pytest.mark.parametrize(("content", "status", "field"), BAD_FIELDS)
def test_custom_field__defined_wrongly__names_the_field(acme, client, content, status, field):
    define(client, key="taken")

    response = send(client, "POST", "/custom-fields", {"key": "new", "label": "New", "kind": "text", **content})

    assert response.status_code == status, response.content
    if status != 201:
        assert {name.split(".")[0] for name in fields(response)} == {field}


def test_custom_field__changed__keeps_key_and_kind(acme, client):
    field = define(client, "choice", choices=["a"]).json()
    path = f"/custom-fields/{field['id']}"

    refused = send(client, "PATCH", path, {"label": "Other", "kind": "text", "key": "other"})
    changed = send(client, "PATCH", path, {"label": "New", "choices": ["a", "b"]})
    emptied = send(client, "PATCH", path, {"choices": []})

    found = send(client, "GET", path).json()
    assert (refused.status_code, fields(refused)) == (400, {"kind", "key"})
    assert (changed.status_code, emptied.status_code) == (200, 400)
    assert (found["key"], found["kind"], found["label"], found["choices"]) == ("field", "choice", "New", ["a", "b"])
