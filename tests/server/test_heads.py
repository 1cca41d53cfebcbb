"""What a head says counts, or the request is refused: nothing is passed over in silence."""

from __future__ import annotations

import socket

import pytest

from tests.support.clients import API, issue
from tests.support.factories import add_project

from .test_framing import no_projects
from .wire import SECONDS, Reply, Wire, answer_on

NAMES = ["If-Match", "If-None-Match", "Idempotency-Key", "X-Forwarded-For", "Authorization", "Accept", "X-Unknown"]
DIRTY = ['"\xe9"'.encode("latin-1"), "Rechnung-März".encode(), b"\x80", b"\xff\xfe"]
JSON = (b"Content-Type: application/json", b"Content-Length: 13")
CONTENT = b'{"name": "P"}'


@pytest.fixture
def wire(acme, port) -> Wire:
    return Wire(port, acme.host, issue(acme).access)


def sent(wire: Wire, line: str, *fields: bytes, body: bytes = b"", signed_in: bool = True) -> Reply:
    """The answer to exactly these bytes."""
    credentials = [f"Authorization: Bearer {wire.token}".encode()] if signed_in else []
    with socket.create_connection(("127.0.0.1", wire.port), timeout=SECONDS) as client:
        client.sendall(b"\r\n".join([line.encode(), *fields, *credentials, b"", body]))
        return answer_on(client, line.partition(" ")[0])


def host(wire: Wire) -> bytes:
    return f"Host: {wire.host}".encode()


@pytest.mark.parametrize("value", DIRTY)
@pytest.mark.parametrize("name", NAMES)
def test_header__that_is_not_ascii__is_never_as_if_it_were_absent(acme, wire, name, value):
    header = name.encode() + b": " + value

    for lines in ([header], [header, name.encode() + b": clean"]):
        reply = sent(wire, f"POST {API}/projects HTTP/1.1", *lines, host(wire), *JSON, body=CONTENT)
        assert (reply.status, reply.json()["code"]) == (400, "header_not_ascii")
    assert no_projects(acme)


@pytest.mark.parametrize("path", ["/health", "/static/small.css", "/sign-in/", f"{API}/projects"])
def test_header__that_is_not_ascii__is_refused_wherever_it_is_sent(wire, path):
    assert sent(wire, f"GET {path} HTTP/1.1", host(wire), b"X-Name: M\xc3\xa4rz").status == 400


def test_cookie__that_is_not_ascii__is_taken_away_so_that_the_page_can_be_reached(wire):
    cookie = "Cookie: other=März; sessionid=x".encode()

    page = sent(wire, "GET /sign-in/ HTTP/1.1", host(wire), cookie, signed_in=False)

    assert (page.status, page.headers["Clear-Site-Data"]) == (400, '"cookies"')
    assert b"Reload" in page.content


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        ("1.1", [], 400),
        ("1.1", [b"Host: {}"], 200),
        ("1.1", [b"Host: {}", b"Host: {}"], 400),
        ("1.1", [b"Host: {}", b"Host: other.localhost"], 400),
        ("1.0", [b"Host: {}"], 200),
        ("1.0", [b"Host: {}", b"Host: {}"], 400),
    ],
)
def test_host__that_is_not_named_once__is_refused(wire, version, hosts, status):
    named = [line.replace(b"{}", wire.host.encode()) for line in hosts]

    assert sent(wire, f"GET {API}/projects HTTP/{version}", *named).status == status


@pytest.mark.parametrize(
    ("target", "given", "status"),
    [("{}", "nobody.localhost", 200), ("nobody.localhost", "{}", 404), ("{}", "{}", 200), ("x@{}", "{}", 404)],
)
def test_target__that_names_a_host__wins_over_the_header(wire, target, given, status):
    authority, named = target.format(wire.host), given.format(wire.host)

    assert sent(wire, f"GET http://{authority}{API}/projects HTTP/1.1", f"Host: {named}".encode()).status == status


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        ("Content-Encoding: gzip", 415, "unsupported_content_coding"),
        ("Content-Encoding: identity, br", 415, "unsupported_content_coding"),
        ("Content-Encoding: identity", 201, None),
        ("Content-Encoding: Identity", 201, None),
    ],
)
def test_body__that_is_coded__is_refused(acme, wire, header, status, code):
    reply = sent(wire, f"POST {API}/projects HTTP/1.1", host(wire), header.encode(), *JSON, body=CONTENT)

    assert (reply.status, reply.json().get("code")) == (status, code)


@pytest.mark.parametrize(
    "lines", [[b"Transfer-Encoding: gzip, chunked"], [b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"]]
)
def test_body__that_is_coded_on_its_way__is_refused(acme, wire, lines):
    chunks = b"d\r\n" + CONTENT + b"\r\n0\r\n\r\n"

    reply = sent(wire, f"POST {API}/projects HTTP/1.1", host(wire), *lines, JSON[0], body=chunks)

    assert (reply.status, reply.json()["code"]) == (501, "unsupported_transfer_coding")
    assert no_projects(acme)


@pytest.mark.parametrize("path", ["/health", "/ready", "/health/redis"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_health__asked_otherwise_than_by_reading__is_not_said(wire, path, method):
    reply = sent(wire, f"{method} {path} HTTP/1.1", host(wire))

    assert (reply.status, reply.headers["Allow"], reply.content) == (405, "GET, HEAD", b"")


def test_refusal__of_the_server__forbids_guessing_at_its_type(acme, wire):
    add_project(acme, "Plan")
    for path in ("/sign-in/", f"{API}/projects"):
        refused = sent(wire, f"GET {path} HTTP/1.1", host(wire), b"X-A: \xe9")
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
    assert sent(wire, "GET /health HTTP/1.1", host(wire)).headers["X-Content-Type-Options"] == "nosniff"
