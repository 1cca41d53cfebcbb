"""Wrong requests to the whole API: each is told what is wrong with it, as a problem document, and never a 500."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from apps.projects.models import CustomField
from apps.projects.services import custom_fields
from tests.support.clients import APEX, API, issue
from tests.support.completeness import assert_complete
from tests.support.factories import PASSWORD, Organization
from tests.support.routes import NEEDS, TENANT_URLS, is_api
from tests.support.things import THINGS, stock

JSON = "application/json"
NOBODY = uuid4()
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Bad:
    """A request, the status it gets, and the field that is named."""

    method: str
    path: str
    status: int
    body: Any = None
    fault: str = ""
    kind: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    on_apex: bool = False
    signed_in: bool = True

    def __str__(self) -> str:
        shown = self.body if isinstance(self.body, bytes) else json.dumps(self.body)
        return f"{self.method} {self.path[:60]} {str(shown)[:40]} {self.kind[:30]} {self.headers or ''} {self.status}"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def post(path: str, body: Any, fault: str = "", status: int = 400, **more: Any) -> Bad:
    return Bad("post", path, status, body, fault, **more)


def patch(path: str, body: Any, fault: str = "", status: int = 400, **more: Any) -> Bad:
    return Bad("patch", path, status, body, fault, **more)


def get(path: str, fault: str = "", status: int = 400, **more: Any) -> Bad:
    return Bad("get", path, status, fault=fault, **more)


def form(*parts: tuple[str, bytes]) -> bytes:
    """A multipart body with the boundary 'x'."""
    written = [b"--x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + body for head, body in parts]
    return b"\r\n".join([*written, b"--x--\r\n"])


def file_part(content: bytes, name: str = "a.txt") -> tuple[str, bytes]:
    return f'name="file"; filename="{name}"', content


MULTIPART = "multipart/form-data; boundary=x"
DOCUMENTS = "projects/{project}/documents"

# -- what cannot be read -----------------------------------------------------------------------------------------

UNREADABLE = [
    (b"{", 400, JSON),
    (b"", 400, JSON),
    (b"null", 400, JSON),
    (b"[]", 400, JSON),
    (b'"text"', 400, JSON),
    (b"1", 400, JSON),
    (b"true", 400, JSON),
    (b'{"name": NaN}', 400, JSON),
    (b'{"name": Infinity}', 400, JSON),
    (b'{"name": "a",}', 400, JSON),
    (b"{'name': 'a'}", 400, JSON),
    (b"\xff\xfe{\x00}\x00", 400, JSON),
    (b'{"name": "\xff"}', 400, JSON),
    (b"[" * 40_000, 400, JSON),
    (b'{"a":' * 3000, 400, JSON),
    (b'{"name": ' + b"9" * 5000 + b"}", 400, JSON),
    (b"a" * (5 * 1024 * 1024 + 1), 413, JSON),
    (b"{}", 415, "text/plain"),
    (b"name=x", 415, "application/x-www-form-urlencoded"),
    (b"<a/>", 415, "application/xml"),
    (b"{}", 415, "nonsense"),
    (form(("name=name", b"x")), 415, MULTIPART),
]
WRITES = ["projects", "roles", "api-keys", "invitations", "custom-fields"]
PUBLIC = ["auth/login", "auth/refresh", "auth/password-reset", "auth/find-organizations", "invitations/accept"]
BODIES = [Bad("post", path, status, body, kind=kind) for path in WRITES for body, status, kind in UNREADABLE]
BODIES += [
    Bad("post", path, status, body, kind=kind, signed_in=False) for path in PUBLIC for body, status, kind in UNREADABLE
]

# -- values ------------------------------------------------------------------------------------------------------

TEXTS: list[Any] = [None, "", " ", 1.5e308, [], {}, True, ["a"], {"a": 1}, "a\x00b", "\ud800", "x" * 6000]
NO_TEXT = [value for value in TEXTS if value != 1.5e308]
VALUES = [
    *[post("projects", {"name": value}, "name") for value in NO_TEXT],
    *[post("projects", {"name": "P", "description": v}, "description") for v in NO_TEXT if v not in ("", " ")],
    *[post("projects", {"name": "P", "is_private": v}, "is_private") for v in (None, "x", [], {}, 2, "\ud800")],
    *[post("projects", {"name": "P", "custom_fields": v}, "custom_fields") for v in (None, "x", [], 1, "\ud800")],
    post("projects", {}, "name"),
    post("projects", {"nam": "misspelled"}, "name"),
    post("projects", {"name": "P", "custom_fields": {"unknown": 1}}, "custom_fields.unknown"),
    post("projects", b'{"name": "P", "custom_fields": {"\\ud800": 1}}'),
    post("projects", {"name": "P", "custom_fields": {"x\x00": 1}}),
    *[
        post("projects", {"name": "P", "custom_fields": {key: value}}, f"custom_fields.{key}")
        for key, values in {
            "text": [1, [], {}, True, "a\x00b", "\ud800", "x" * 1001],
            "number": ["1", [], True, 10**400, {}],
            "boolean": ["true", 1, [], {}],
            "date": ["tomorrow", 20240101, "2024-02-30", "2024-1-1", "\ud800", []],
            "choice": ["c", 1, [], {}, "\ud800"],
        }.items()
        for value in values
    ],
    post("projects", b'{"name": "P", "custom_fields": {"number": 1e400}}'),
    *[post("projects/bulk", {"items": value}) for value in (None, [], {}, "x", 1, [1], [[]], [None], ["x"])],
    post("projects/bulk", {}, "items"),
    post("projects/bulk", {"items": [{"name": "x"}] * 101}),
    post("projects/bulk", {"items": [{"name": "ok"}, {"name": ""}]}),
    post("projects/bulk", {"items": [{"name": "a"}, {"name": "a"}]}, "items.1.name", 409),
    *[patch("projects/{project}", {"name": value}, "name") for value in (None, "", "a\x00", [], "x" * 121)],
    patch("projects/{project}", {"custom_fields": {"text": 1}}, "custom_fields.text"),
    *[post("custom-fields", {"key": v, "label": "L", "kind": "text"}, "key") for v in ("", "A", "1a", "é", None, [])],
    *[post("custom-fields", {"key": "k", "label": v, "kind": "text"}, "label") for v in ("", None, "\x01", "x" * 81)],
    *[post("custom-fields", {"key": "k", "label": "L", "kind": v}, "kind") for v in ("", None, "x", [], {}, "\ud800")],
    post("custom-fields", {"key": "k", "label": "L", "kind": "choice"}, "choices"),
    post("custom-fields", {"key": "k", "label": "L", "kind": "text", "choices": ["a"]}, "choices"),
    post("custom-fields", {"key": "k", "label": "L", "kind": "choice", "choices": ["a"] * 51}, "choices"),
    post("custom-fields", {"key": "k", "label": "L", "kind": "choice", "choices": "a"}, "choices"),
    post("custom-fields", {"key": "text", "label": "L", "kind": "text"}, "key", 409),
    *[patch("custom-fields/{field}", {"label": v}, "label") for v in ("", None, [], "\ud800")],
    *[
        Bad("put", f"projects/{{project}}/{thing}shares/{{user}}", 400, {"relation": v}, "relation")
        for thing in ("", "documents/{document}/")
        for v in ("", None, "boss", [], {}, 1, "\ud800", "\x00")
    ],
    *[post("roles", {"name": v, "permissions": []}, "name") for v in ("", None, [], "a\nb", "\ud800", "x" * 61)],
    *[
        post("roles", {"name": "R", "permissions": v})
        for v in (None, "x", {}, [None], [[]], [1], ["nope"], ["projects:read\x00"], ["\ud800"], ["a"] * 101)
    ],
    *[post("api-keys", {"name": v, "scopes": ["projects:read"]}, "name") for v in ("", None, [], "\t", "x" * 101)],
    *[post("api-keys", {"name": "K", "scopes": v}) for v in (None, [], "projects:read", ["nope"], [None], {})],
    *[
        post("api-keys", {"name": "K", "scopes": ["projects:read"], "expires_at": v}, "expires_at")
        for v in (
            "tomorrow",
            "2020-01-01T00:00:00Z",
            "2020-13-01T00:00:00Z",
            "2024-02-30",
            "9999-12-31T23:59:59-14:00",
            "0001-01-01T00:00:00+14:00",
            1,
            [],
            "",
            "\ud800",
        )
    ],
    *[post("invitations", {"email": v, "role": "viewer"}, "email") for v in ("", None, "x", "a@b", [], "a\x00@b.de")],
    *[post("invitations", {"email": "a@example.com", "role": v}, "role") for v in ("", None, "boss", [], "\ud800")],
    post("invitations", {"email": "a@example.com", "role": str(NOBODY)}, "role"),
    *[patch("members/{member}", {"role": v}, "role") for v in ("", None, "boss", [], str(NOBODY), "x" * 61)],
    *[patch("users/me", {"name": v}, "name") for v in (None, [], "a\x00", "\ud800", "x" * 151)],
    *[patch("users/me", {"locale": v}, "locale") for v in ("x", "EN", "en_US", "en-", None, [], "x" * 13)],
    *[patch("users/me", {"time_zone": v}, "time_zone") for v in ("Mars/Base", "../etc", None, [], "\ud800", "/")],
    *[patch("settings", {"name": v}, "name") for v in ("", None, [], "a\nb", "\ud800", "x" * 201)],
    *[patch("settings", {"brand_color": v}, "brand_color") for v in ("red", "#FFF", "#12345", "#1234567", None, [])],
    *[patch("settings", {"time_zone": v}, "time_zone") for v in ("Mars/Base", "", None, [], "UTC\x00")],
    *[patch("settings", {"locale": v}, "locale") for v in ("", "x", None, "en;drop")],
    post("users/me/password", {}, "old_password"),
    post("users/me/password", {"old_password": "wrong", "new_password": PASSWORD}, "old_password", 403),
    post("users/me/password", {"old_password": PASSWORD, "new_password": "short"}),
    post("users/me/password", {"old_password": PASSWORD, "new_password": "a\x00" * 20}, "new_password"),
    *[
        post(path, {"email": value}, "email", signed_in=False)
        for path in ("auth/password-reset", "auth/find-organizations")
        for value in (None, "", "x", "é@example.com", "a@example.com\x00", [], {}, "\ud800@example.com")
    ],
    *[
        post("auth/login", {"email": "a@example.com", "password": value}, "password", signed_in=False)
        for value in (None, "", [], {}, "a\x00b", "\ud800", "x" * 1001)
    ],
    post("auth/login", {"email": "a@example.com", "password": "x", "organization": ["x"]}, "organization"),
    *[post("auth/refresh", {"refresh": v}, "refresh", signed_in=False) for v in (None, "", [], "x" * 8193, "\x00")],
    *[
        post("invitations/accept", {"token": v, "password": PASSWORD}, "token", signed_in=False)
        for v in (None, "", [], "x" * 201, "\ud800")
    ],
    post("invitations/accept", {"token": "x", "password": PASSWORD}, status=403, signed_in=False),
    *[
        post("auth/register", {"organization": v, "email": "a@example.com", "password": PASSWORD}, on_apex=True)
        for v in (None, "", [], "x" * 500, "a\x00b", "\ud800")
    ],
    post("auth/register", {"organization": "O", "email": "a@example.com", "password": "short"}, on_apex=True),
]

# -- addresses, methods, headers ---------------------------------------------------------------------------------

FAR_ZONE = "cj0xJnA9MDAwMS0wMS0wMVQwMDowMDowMCUyQjIzOjAw"  # a time in a zone that PostgreSQL does not know
CURSORS = [FAR_ZONE, "nonsense", "cD0=", "cD1ub3RhZGF0ZQ==", "cD0yMDI0LTAxLTAx", "cj0xJnA9JTAw", "é", "%ff"]
SIZES = ["x", "0", "-1", "101", "1.5", "٣", ""]
BAD_KEYS = ["", "x" * 256]
LISTS = ["projects", "members", "roles", "api-keys", "invitations", "custom-fields", "projects/{project}/shares"]
NAIVE = "MjAyNC0wMS0wMVQwMDowMDowMCAxMjM0NTY3OC0xMjM0LTEyMzQtMTIzNC0xMjM0NTY3ODEyMzQ="  # a time without a zone
ADDRESSES = [
    *[
        get(f"{path}?page_size={size}", "page_size")
        for path in LISTS
        for size in ("x", "0", "-1", "101", "1.5", "٣", "")
    ],
    *[get(f"{path}?ordering={by}", "ordering") for path in LISTS for by in ("x", "-", "-id;", "", "%00")],
    *[get(f"projects?cursor={cursor}", status=404) for cursor in CURSORS],
    *[get(f"members?ordering=email&cursor={cursor}", status=404) for cursor in ("nonsense", "cj0xJnA9JTAw")],
    *[get(f"projects?is_private={value}", "is_private") for value in ("x", "2", "%00")],
    *[get(f"projects?created_by={value}", "created_by") for value in ("x", "1", "%00")],
    *[
        get(f"projects?{name}={value}", name)
        for name in ("created_after", "created_before")
        for value in ("x", "2024-13-01", "9999-12-31T23:59:59-14:00", "%00")
    ],
    *[get(f"projects?search={value}", "search") for value in ("%00", "x" * 201)],
    *[get(f"audit/events?page_size={value}", "page_size") for value in ("x", "0", "101")],
    *[get(f"audit/events?{side}={v}", status=404) for side in ("before", "after") for v in ("x", "YQ==", "é", NAIVE)],
    *[get(f"audit/{what}?since={v}", "since") for what in ("events", "export") for v in ("x", "2024-02-30")],
    *[get(f"audit/{what}?action={v}", "action") for what in ("events", "export") for v in ("%00", "x" * 101)],
    get("audit/export?format=xml", "format"),
    *[
        get(path, status=404)
        for path in (
            "nothing",
            "",
            "projects/",
            "projects/not-an-id",
            "projects/%00",
            "projects/../../etc/passwd",
            f"projects/{NOBODY}",
            f"projects/{str(NOBODY).upper()}",
            f"projects/{NOBODY}/documents",
            "projects/{project}/documents/x",
            f"projects/{{project}}/documents/{NOBODY}",
            f"projects/{{project}}/documents/{NOBODY}/content",
            f"projects/{NOBODY}/documents/{{document}}",
            f"members/{NOBODY}",
            "members/me",
            f"roles/{NOBODY}",
            f"invitations/{NOBODY}",
            f"custom-fields/{NOBODY}",
            "settings/logo",
        )
    ],
    *[
        Bad("delete", path, 404)
        for path in (
            f"projects/{NOBODY}",
            f"api-keys/{NOBODY}",
            f"sessions/{NOBODY}",
            f"invitations/{NOBODY}",
            f"projects/{{project}}/shares/{NOBODY}",
        )
    ],
    *[
        Bad(method, path, 405)
        for method, path in (
            ("put", "projects"),
            ("delete", "projects"),
            ("post", "projects/{project}"),
            ("put", "projects/{project}"),
            ("options", "projects"),
            ("trace", "projects"),
            ("get", "projects/bulk"),
            ("get", "auth/login"),
            ("get", "auth/logout"),
            ("put", "users/me"),
            ("delete", "users/me"),
            ("post", "members"),
            ("get", "members/leave"),
            ("get", "api-keys/{project}"),
            ("post", "audit/events"),
            ("delete", "settings"),
            ("patch", "settings/logo"),
            ("post", "permissions"),
            ("post", "sessions"),
        )
    ],
    *[get(path, status=406, headers={"Accept": "text/html"}) for path in ("projects", "users/me", "audit/events")],
    *[
        patch(path, {"name": "New"}, status=412, headers={"If-Match": tag})
        for path in ("projects/{project}", "users/me", "settings", "roles/{role}")
        for tag in ('"other"', "W/", "x", '"a", "b"')
    ],
    patch("members/{member}", {"role": "viewer"}, status=412, headers={"If-Match": '"x"'}),
    *[
        post(path, {}, headers={"Idempotency-Key": k})
        for path in ("projects", "members/leave")
        for k in ("", "x" * 256)
    ],
    post("projects", {"name": "P"}, status=401, signed_in=False),
    *[get(path, status=401, signed_in=False) for path in ("projects", "users/me", f"projects/{NOBODY}", "sessions")],
    get("projects", status=401, signed_in=False, headers={"Authorization": "Bearer x"}),
]

# -- files -------------------------------------------------------------------------------------------------------

FILES = [
    *[
        Bad(method, path, status, body, fault, kind)
        for method, path in (("post", DOCUMENTS), ("put", "settings/logo"))
        for body, fault, kind, status in (
            (b"{}", "", JSON, 415),
            (b"", "file", MULTIPART, 400),
            (b"garbage", "file", MULTIPART, 400),
            (b"--x\r\nbroken", "file", MULTIPART, 400),
            (b"--x\r\n\r\n", "file", MULTIPART, 400),
            (form(), "file", MULTIPART, 400),
            (form(file_part(b"x")), "", "multipart/form-data", 400),
            (form(file_part(b"x")), "", "multipart/form-data; boundary=", 400),
            (form(file_part(b"x")), "", "multipart/form-data; boundary=" + "y" * 300, 415),
            (form(file_part(b"")), "file", MULTIPART, 400),
            (form(("name=file", b"not a file")), "file", MULTIPART, 400),
            (form(('name="other"; filename="a"', b"x")), "file", MULTIPART, 400),
            (form(file_part(b"x", "")), "file", MULTIPART, 400),
            (form(*[(f"name=f{n}", b"x") for n in range(1100)]), "", MULTIPART, 400),
            (form(*[(f'name="f{n}"; filename="a"', b"x") for n in range(110)]), "", MULTIPART, 400),
            (form(("name=f", b"x" * (5 * 1024 * 1024 + 1))), "", MULTIPART, 413),
        )
    ],
    *[
        Bad("put", "settings/logo", 400, form(file_part(content)), "file", MULTIPART)
        for content in (b"<svg onload=alert(1)>", b"GIF89a", b"\x89PN", b"RIFF0000WAVE", PNG + b"x" * 512 * 1024)
    ],
]

TABLE = [*BODIES, *VALUES, *ADDRESSES, *FILES]


@dataclass(frozen=True)
class Scene:
    """An organization with one of everything, and the owner's client."""

    organization: Organization
    ids: dict[str, str]
    token: str

    def send(self, bad: Bad) -> Any:
        headers = {**({"Authorization": f"Bearer {self.token}"} if bad.signed_in else {}), **bad.headers}
        host = APEX if bad.on_apex else self.organization.host
        client = Client(HTTP_HOST=host, raise_request_exception=False)
        address = f"{API}/{bad.path.format(**self.ids)}"
        content = {} if bad.body is None else {"data": bad.content, "content_type": bad.kind}
        return client.generic(bad.method.upper(), address, headers=headers, **content)


@pytest.fixture
def scene(acme) -> Scene:
    with acme.inside():
        for kind in CustomField.Kind.values:
            choices = ["a", "b"] if kind == "choice" else []
            custom_fields.define_custom_field(actor=acme.subject, key=kind, label=kind, kind=kind, choices=choices)
    ids = {name.removesuffix("_id"): str(value) for name, value in stock(acme).arguments().items()}
    return Scene(acme, ids, issue(acme).access)


def fault_of(bad: Bad) -> str:
    """Half a surrogate pair spoils the whole document, whatever field it stands in."""
    return "" if b"\\ud800" in bad.content else bad.fault


def assert_problem(answer: Any, status: int, fault: str = "") -> None:
    assert answer.status_code == status, answer.content[:300]
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() >= {"type", "title", "status", "code", "detail"}
    assert body["status"] == status
    assert body["type"] == f"urn:tenantry:problem:{body['code']}"
    assert body["detail"]
    if fault:
        assert fault in {error["field"] for error in body["errors"]}
        assert all(error["detail"] and error["code"] for error in body["errors"])


def wrongly_answered(scene: Scene, table: list[Bad]) -> list[str]:
    """What is wrong with the answers, request by request."""
    wrong = []
    for bad in table:
        try:
            assert_problem(scene.send(bad), bad.status, fault_of(bad))
        except Exception as error:
            wrong.append(f"{bad}: {str(error).splitlines()[0][:200]}")
    return wrong


@pytest.fixture
def generous(settings) -> None:
    """Nobody is stopped for trying too often."""
    settings.ATTEMPT_LIMITS = {action: {"seconds": 60} for action in settings.ATTEMPT_LIMITS}


GROUPS = {
    "unreadable": BODIES,
    "values": VALUES,
    "addresses": ADDRESSES,
    "files": FILES,
}


@pytest.mark.parametrize("group", GROUPS)
def test_request__that_is_wrong__is_told_what_is_wrong_with_it(scene, generous, group):
    wrong = wrongly_answered(scene, GROUPS[group])

    assert wrong == [], "\n".join(["", *wrong])


# Routes that take nothing but an address, or whose body cannot be wrong.
WITHOUT_BODY = {
    "api-logout",
    "api-logout-everywhere",
    "api-validate",
    "api-verification",
    "api-leave",
    "api-ownership",
    "api-resend",
}


def test_routes__that_take_a_body__are_sent_wrong_ones():
    unsafe = {"POST", "PUT", "PATCH"}
    taking = {route for route, needs in NEEDS.items() if is_api(route) and unsafe & needs.keys()}
    named = [
        *"project document person member field role invitation".split(),
        *(t.argument.removesuffix("_id") for t in THINGS.values()),
    ]
    any_id = dict.fromkeys(named, str(NOBODY))
    tried = {route_at(f"{API}/{bad.path.format(**any_id)}") for bad in TABLE if bad.method.upper() in unsafe}

    assert_complete(tried & taking | WITHOUT_BODY, taking, table="tests/test_bad_requests.py:TABLE")


def route_at(address: str) -> str:
    try:
        return resolve(address.partition("?")[0], urlconf=TENANT_URLS).view_name
    except Resolver404:
        return ""


def test_table__of_wrong_requests__is_long():
    assert len({str(bad) for bad in TABLE}) >= 600


# -- what is not an error, and errors outside the views ----------------------------------------------------------


def test_fields__that_are_unknown_or_not_the_callers__are_refused_by_name(scene):
    foreign = {"id": str(NOBODY), "tenant_id": str(NOBODY), "created_by_id": str(NOBODY), "created_at": "2000-01-01"}
    refused = {*foreign, "nonsense"}

    answer = scene.send(post("projects", {"name": "New", **foreign, "nonsense": [1]}))

    assert_problem(answer, 400)
    assert {error["field"]: error["code"] for error in answer.json()["errors"]} == dict.fromkeys(
        refused, "unknown_member"
    )
    assert scene.send(get("projects?search=New", status=200)).json()["results"] == []


@pytest.mark.parametrize(("method", "path"), [("get", "audit/export?format=csv"), ("get", "audit/export?format=jsonl")])
def test_export__in_a_format_that_there_is__is_given(scene, method, path):
    assert scene.send(Bad(method, path, 200)).status_code == 200


@pytest.mark.sampled(3)
@pytest.mark.parametrize("depth", range(50, 1001, 50))
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}])
def test_json__however_deep__is_no_fault_of_ours(scene, depth, key):
    body = b'{"name": "P", "custom_fields": {"text": ' + b"[" * depth + b"]" * depth + b"}}"

    assert_problem(scene.send(post("projects", body, headers=key)), 400)


@pytest.mark.parametrize("host", ["apex", "tenant", "nowhere"])
@pytest.mark.parametrize("path", [f"{API}/nothing", "/api/", "/api/v2/projects", f"{API}/%00", f"{API}/auth/%2e%2e/x"])
def test_address__that_leads_nowhere__is_told_as_a_problem(acme, host, path):
    name = {"apex": APEX, "tenant": acme.host, "nowhere": "nobody.localhost"}[host]

    assert_problem(Client(HTTP_HOST=name).get(path), 404)


def test_failure__outside_the_views__is_told_as_a_problem_without_details(acme, monkeypatch):
    def fail(host: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("apps.tenants.directory.tenant_for_host", fail)
    client = Client(HTTP_HOST=acme.host, raise_request_exception=False)

    answer = client.get(f"{API}/projects")

    assert_problem(answer, 500)
    assert b"secret" not in answer.content


def test_failure__inside_a_view__is_told_as_a_problem_without_details(scene, monkeypatch):
    def fail(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("apps.projects.selectors.projects_for", fail)

    answer = scene.send(get("projects", status=500))

    assert_problem(answer, 500)
    assert b"secret" not in answer.content
