"""How much of a process one organization may have in hand while others ask too."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client

from apps.tenants import bulkhead as bulkheads
from apps.tenants.bulkhead import WINDOW_SECONDS, Bulkhead, Full
from tests.support.clients import APEX, issue, program_of
from tests.support.factories import Organization

NOISY, OTHER = uuid4(), uuid4()


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bulkhead(clock) -> Bulkhead:
    return Bulkhead(clock)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch, settings):
    settings.TENANT_CONCURRENCY, settings.TENANT_WAITING = 2, 1
    monkeypatch.setattr(bulkheads, "WAIT_SECONDS", 0.05)


def ask(bulkhead: Bulkhead, tenant: Any) -> None:
    with bulkhead.room_for(tenant):
        pass


# -- the rule ------------------------------------------------------------------------------------------------------


def test_organization__alone__may_have_everything(bulkhead):
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(bulkhead.room_for(NOISY))


def test_organization__while_another_asks__may_have_its_share(bulkhead):
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(bulkhead.room_for(NOISY))
        ask(bulkhead, OTHER)

        with pytest.raises(Full):
            ask(bulkhead, NOISY)

        ask(bulkhead, OTHER)
    ask(bulkhead, NOISY)


def test_organization__that_had_everything__gets_no_more_once_another_asks(bulkhead):
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(bulkhead.room_for(NOISY))
        ask(bulkhead, OTHER)

        with pytest.raises(Full):
            ask(bulkhead, NOISY)


def test_organization__after_a_second_without_others__may_have_everything_again(bulkhead, clock):
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(bulkhead.room_for(NOISY))
        ask(bulkhead, OTHER)
        clock.now += 2 * WINDOW_SECONDS

        for _ in range(5):
            held.enter_context(bulkhead.room_for(NOISY))


def test_organization__that_asks_for_little__is_never_refused(bulkhead):
    for _ in range(100):
        ask(bulkhead, NOISY)

    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(bulkhead.room_for(OTHER))


def test_organization__without_a_limit__may_have_everything(bulkhead, settings):
    settings.TENANT_CONCURRENCY = 0
    ask(bulkhead, OTHER)

    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(bulkhead.room_for(NOISY))


def test_request__that_waits__gets_the_place_that_becomes_free(bulkhead, monkeypatch):
    monkeypatch.setattr(bulkheads, "WAIT_SECONDS", 5)
    ask(bulkhead, OTHER)
    with ThreadPoolExecutor(1) as pool, ExitStack() as held:
        for _ in range(2):
            held.enter_context(bulkhead.room_for(NOISY))
        waiting = pool.submit(ask, bulkhead, NOISY)
        while not bulkhead._waiting:
            pass
        with pytest.raises(Full):  # one waits, no more
            ask(bulkhead, NOISY)

        held.close()

        assert waiting.result(5) is None


def test_bulkhead__after_all_went__remembers_nobody(bulkhead):
    ask(bulkhead, OTHER)
    with pytest.raises(ZeroDivisionError), bulkhead.room_for(NOISY):
        1 / 0  # noqa: B018
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(bulkhead.room_for(NOISY))
        ask(bulkhead, OTHER)
        with pytest.raises(Full):
            ask(bulkhead, NOISY)

    assert not bulkhead._in_hand
    assert not bulkhead._waiting


# -- behind the web server -----------------------------------------------------------------------------------------


@pytest.fixture
def crowd(acme, platform, sign_in, monkeypatch) -> Iterator[tuple[Organization, list[Any], Event]]:
    """An organization whose two requests are in hand and stay there until the event is set."""
    started, finish = [Event(), Event()], Event()
    left = list(started)
    browsers = [sign_in(acme) for _ in started]

    def slow(subject: Any) -> tuple[int, int]:
        left.pop().set()
        finish.wait(20)
        return 0, 0

    monkeypatch.setattr("apps.workspace.selectors.storage_of", slow)
    sign_in(platform["pool"][0])

    def load(browser: Client) -> int:
        try:
            return browser.get("/").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(load, browser) for browser in browsers]
        assert all(event.wait(20) for event in started)
        yield acme, answers, finish
        finish.set()


def test_request__of_an_organization_with_too_much_in_hand__is_told_to_come_again(crowd, platform):
    acme, answers, finish = crowd
    token = issue(acme).access
    asked = [
        Client(HTTP_HOST=acme.host).get("/sign-in/"),
        Client(HTTP_HOST=acme.host).get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"}),
        Client(HTTP_HOST=APEX).get("/api/v1/projects", headers={"Authorization": f"Bearer {token}"}),
    ]
    neighbor = program_of(platform["pool"][0]).get("projects")
    finish.set()

    for response in asked:
        assert response.status_code == 429
        assert response["Retry-After"] == "1"
    assert asked[1].json()["code"] == "too_many_at_once"
    assert neighbor.status_code == 200
    assert [answer.result(20) for answer in answers] == [200, 200]
    assert Client(HTTP_HOST=acme.host).get("/sign-in/").status_code == 200
