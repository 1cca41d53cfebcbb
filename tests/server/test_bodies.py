"""What is refused before it is received, and who has how long to send what."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from apps.access.bodies import limit_of
from config.server import limits
from tests.support.clients import API, issue
from tests.support.factories import Organization, add_project
from tests.support.routes import API_ROUTES, NEEDS, PATTERNS, address_of
from tests.support.things import stock

from .wire import Wire, answer_on

MEGABYTE = 2**20
UNSAFE_PAGES = sorted(route for route in NEEDS if route not in API_ROUTES)
UNSAFE = sorted((route, method) for route in API_ROUTES for method in NEEDS[route] if method != "GET")
PLACES = [*UNSAFE, *((route, "POST") for route in UNSAFE_PAGES)]
LARGE = {"api-documents", "projects:document-upload"}


@pytest.fixture
def stranger(acme, port) -> Wire:
    return Wire(port, acme.host)


@pytest.fixture
def member(acme, port) -> Wire:
    return Wire(port, acme.host, issue(acme).access)


def refusal(wire: Wire, method: str, path: str, size: int, **headers: str) -> int:
    """The status that a request is answered with of which only the head was sent."""
    with wire.begun(method, path, f"Content-Length: {size}", **headers) as client:
        return answer_on(client).status


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("route", "method"), PLACES, ids=str)
def test_body__of_somebody_unknown__is_refused_before_it_is_received(acme, stranger, route, method):
    address = address_of(route, stock(acme).arguments())

    assert refusal(stranger, method, address, limits.MEMORY + 1) == 413


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("route", "method"), UNSAFE, ids=str)
def test_body__longer_than_its_route_takes__is_refused_before_it_is_received(acme, member, route, method):
    address, limit = address_of(route, stock(acme).arguments()), limit_of(PATTERNS[route].callback)

    assert refusal(member, method, address, limit + 1) == 413
    assert (limit > 6 * MEGABYTE) == (route in LARGE and method == "POST")


def test_body__announced_with_no_length__is_refused_where_it_becomes_too_long(member):
    sent = 0
    with member.begun("POST", f"{API}/projects", "Transfer-Encoding: chunked") as client:
        try:
            for piece in endless():
                client.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        status = answer_on(client).status if sent < 8 * MEGABYTE else 0

    assert 5 * MEGABYTE < sent < 50 * MEGABYTE
    assert status in (0, 413)  # 0: the connection was closed before the answer was read


def test_body__of_a_token_that_does_not_hold__is_refused_before_it_is_received(acme, port):
    wire, project = Wire(port, acme.host, "not.a.token"), add_project(acme, "Plan")

    assert refusal(wire, "POST", f"{API}/projects/{project.id}/documents", MEGABYTE) == 401


def test_body__for_nothing__is_refused_before_it_is_received(member, stranger):
    assert refusal(member, "POST", f"{API}/nothing", MEGABYTE) == 404
    assert refusal(Wire(stranger.port, "nobody.localhost"), "POST", "/sign-in/", MEGABYTE) == 404


def test_refusal__of_a_body__is_a_problem_for_programs(member):
    with member.begun("POST", f"{API}/projects", f"Content-Length: {99 * MEGABYTE}") as client:
        reply = answer_on(client)

    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Connection"] == "close"
    assert (reply.json()["status"], reply.json()["code"]) == (413, "content_too_large")


@pytest.mark.slow
def test_body__that_stops_coming__is_given_up(member):
    began = time.monotonic()
    with member.begun("POST", f"{API}/projects", "Content-Length: 20") as client:
        client.sendall(b'{"name": ')
        reply = answer_on(client)

    assert (reply.status, reply.json()["code"]) == (408, "body_too_slow")
    assert limits.IDLE_SECONDS - 1 < time.monotonic() - began < limits.IDLE_SECONDS + 5


def test_bodies__too_many_from_one_address__are_refused_until_some_are_over(acme, member):
    opened = []
    try:
        for _ in range(limits.RECEIVING):
            manager = member.begun("POST", f"{API}/projects", "Content-Length: 20")
            opened.append((manager, manager.__enter__()))
        time.sleep(0.5)
        refused = member.call("POST", f"{API}/projects", b'{"name": "Plan"}', Content_Type="application/json")
        read = member.call("GET", f"{API}/projects")
    finally:
        for manager, _ in opened:
            manager.__exit__(None, None, None)
    accepted = eventually_created(member)

    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert refused.json()["code"] == "too_many_bodies"
    assert (read.status, accepted) == (200, 201)


def eventually_created(wire: Wire) -> int:
    for _ in range(50):
        reply = wire.call("POST", f"{API}/projects", b'{"name": "Plan"}', Content_Type="application/json")
        if reply.status != 429:
            return reply.status
        time.sleep(0.1)
    return 429


def endless() -> Iterator[bytes]:
    piece = b" " * 65536
    while True:
        yield b"10000\r\n" + piece + b"\r\n"


def test_organization__in_which_a_body_was_refused__goes_on(acme: Organization, member):
    assert refusal(member, "POST", f"{API}/projects", 6 * MEGABYTE) == 413
    assert member.call("GET", f"{API}/projects").status == 200
