"""A body counts, whatever way it is framed; what is no whole body does not."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import pytest

from apps.projects.models import Document, Project
from tests.support.clients import API, issue
from tests.support.factories import Organization, add_project
from tests.support.routes import API_ROUTES, NEEDS, address_of
from tests.support.things import stock

from .wire import Reply, Wire, answer_on

WITH_BODY = ("POST", "PUT", "PATCH")
BODILESS = {"leave", "logout", "logout-everywhere", "ownership", "resend", "validate", "verification"}
READING = sorted(
    (route, method)
    for route in API_ROUTES - {f"api-{name}" for name in BODILESS}
    for method in NEEDS[route]
    if method in WITH_BODY
)
JSON = "application/json"
BROKEN = b'{"name": "cut sho'


@pytest.fixture
def wire(acme, port) -> Wire:
    return Wire(port, acme.host, issue(acme).access)


def pieces(content: bytes, size: int = 7) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def form(name: str, content: bytes) -> tuple[bytes, str]:
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="plan.txt"\r\n\r\n'
    return head.encode() + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


def told(reply: Reply) -> tuple[int, Any]:
    body = reply.json() if reply.content else {}
    return reply.status, {name: value for name, value in body.items() if name not in ("request_id", "id")}


@pytest.mark.parametrize(("route", "method"), READING, ids=str)
def test_body__in_chunks__is_read_as_one_with_a_length(acme, wire, route, method):
    address = address_of(route, stock(acme).arguments())

    known = wire.call(method, address, BROKEN, Content_Type="application/json")
    chunked = wire.call(method, address, pieces(BROKEN), Content_Type="application/json")

    assert told(chunked) == told(known)
    assert known.status in (400, 415), known.content
    assert chunked.headers.get("Content-Type") == known.headers.get("Content-Type")


def test_change__in_chunks__takes_place(acme, wire):
    project = add_project(acme, "Plan")

    reply = wire.call("PATCH", f"{API}/projects/{project.id}", pieces(b'{"name": "Changed"}'), Content_Type=JSON)

    assert (reply.status, reply.json()["name"]) == (200, "Changed")
    with acme.inside():
        assert Project.objects.get(id=project.id).name == "Changed"


@pytest.mark.parametrize("size", [1_000, 3_000_000])
@pytest.mark.parametrize("in_chunks", [False, True])
def test_upload__however_framed__arrives_as_it_was_sent(acme, wire, size, in_chunks):
    project, sent = add_project(acme, "Plan"), bytes(range(250)) * (size // 250)
    body, kind = form("file", sent)

    content = pieces(body, 50_000) if in_chunks else body
    reply = wire.call("POST", f"{API}/projects/{project.id}/documents", content, Content_Type=kind)
    back = wire.call("GET", f"{API}/projects/{project.id}/documents/{reply.json()['id']}/content")

    assert reply.status == 201
    assert (back.status, back.headers["Content-Length"]) == (200, str(len(sent)))
    assert back.content == sent


def test_form__in_chunks__is_read(acme, port):
    page = Wire(port, acme.host).call("GET", "/sign-in/")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = page.content.decode().partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    fields = f"csrfmiddlewaretoken={token}&login={acme.owner.email}&password={acme.password.replace(' ', '+')}"

    kind = "application/x-www-form-urlencoded"
    reply = Wire(port, acme.host).call("POST", "/sign-in/", pieces(fields.encode()), Content_Type=kind, Cookie=cookie)

    assert (reply.status, reply.headers["Location"]) == (302, "/")


CUT = {
    "with a length": (("Content-Length: 40",), b'{"name": "cut"}'),
    "in chunks": (("Transfer-Encoding: chunked",), b'f\r\n{"name": "cut"}\r\n'),
}


@pytest.mark.parametrize("kind", CUT)
def test_body__cut_short__has_no_effect(acme, wire, kind):
    lines, content = CUT[kind]

    with wire.begun("POST", f"{API}/projects", *lines, Content_Type=JSON) as client:
        client.sendall(content)
        client.shutdown(1)
        reply = answer_on(client)

    assert reply.status == 400
    assert no_projects(acme)


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2"])
def test_body__of_an_impossible_length__is_refused(acme, wire, length):
    with wire.begun("POST", f"{API}/projects", f"Content-Length: {length}", Content_Type=JSON) as client:
        client.sendall(b'{"name": "x"}')
        reply = answer_on(client)

    assert reply.status == 400
    assert no_projects(acme)


def test_header__with_an_underscore__does_not_pass_for_the_one_with_a_hyphen(acme, wire):
    address = f"{API}/projects"

    kinds = ["Content_Type: application/json", "Content-Length: 2"]
    with wire.begun("POST", address, *kinds, "Connection: close") as client:
        client.sendall(b"{}")
        reply = answer_on(client)
    with Wire(wire.port, acme.host).begun("GET", address, f"Author_ization: Bearer {wire.token}") as client:
        unknown = answer_on(client)
    with Wire(wire.port, acme.host).begun("GET", address, f"Idempotency_Key: {'x' * 9}") as client:
        stranger = answer_on(client)

    assert reply.status == 415
    assert (unknown.status, stranger.status) == (401, 401)


def test_head__of_a_page__has_its_headers_and_no_body(acme, port):
    got, asked = (Wire(port, acme.host).call(method, "/sign-in/") for method in ("GET", "HEAD"))

    assert (asked.status, asked.content) == (200, b"")
    assert asked.headers["Content-Type"] == got.headers["Content-Type"]


def test_request__after_another_on_its_connection__is_one_of_its_own(acme, wire):
    connection = HTTPConnection("127.0.0.1", wire.port, timeout=20)
    statuses = []
    for number, framing in enumerate(["plain", "chunked", "none", "chunked", "plain"]):
        content = json.dumps({"name": f"Plan {number}"}).encode()
        headers = {"Host": acme.host, "Authorization": f"Bearer {wire.token}", "Content-Type": JSON}
        if framing == "none":
            connection.request("GET", f"{API}/projects", headers=headers)
        else:
            given = iter(pieces(content)) if framing == "chunked" else content
            connection.request("POST", f"{API}/projects", given, headers, encode_chunked=framing == "chunked")
        response = connection.getresponse()
        statuses.append((response.status, len(json.loads(response.read()).get("results", []))))
    connection.close()

    assert statuses == [(201, 0), (201, 0), (200, 2), (201, 0), (201, 0)]


def no_projects(organization: Organization) -> bool:
    with organization.inside():
        return not Project.objects.exists() and not Document.objects.exists()
