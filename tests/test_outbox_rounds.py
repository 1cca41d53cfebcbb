"""One process waits for the outboxes of all databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.conf import settings

from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.outbox import events, relay, rounds
from apps.tenancy.outbox.relay import OutboxEvent, Relay
from apps.tenancy.outbox.rounds import Rounds
from tests.support import servers
from tests.support.factories import Organization

TOPIC = "tests.announced"


class Running:
    """Rounds in a thread, with what they handed over."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.visits: list[str] = []
        self.stop = threading.Event()
        self.wanted: dict[str, str] = {}
        self.rounds = Rounds(self._relay)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join()
        self.rounds.end()

    def match(self, wanted: dict[str, str]) -> None:
        self.wanted = wanted
        assert eventually(lambda: set(self.rounds.stations) == set(wanted))

    def _run(self) -> None:
        while not self.stop.is_set():
            self.rounds.match(self.wanted)
            self.rounds.turn()

    def _relay(self, database: str) -> Relay:
        def publish(task: str, events: Sequence[OutboxEvent]) -> None:
            self.sent += [str(event.event_id) for event in events]

        found = Relay(database, publish, lease_seconds=60)
        deliver = found.deliver

        def noted(connection: psycopg.Connection) -> int:
            self.visits.append(database)
            return deliver(connection)

        found.deliver = noted  # type: ignore[method-assign]
        return found


@pytest.fixture
def running(platform, database, monkeypatch) -> Iterator[Running]:
    monkeypatch.setitem(events._subscribers, TOPIC, ["one.task"])
    running = Running()
    yield running
    running.end()


def addresses(*organizations: Organization) -> dict[str, str]:
    found = {"default": settings.DATABASE_URL}
    for organization in organizations:
        place = organization.tenant._placement()
        found[place.alias] = place.database.url.reveal()
    return found


def eventually(holds: Callable[[], bool], *, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def at_rest(running: Running) -> None:
    """Wait until nobody is visited any more for a while."""
    assert eventually(lambda: all(station.due > time.monotonic() + 5 for station in running.rounds.stations.values()))


def test_event__of_any_database__is_announced(running, platform):
    own, *_ = platform["database"]
    running.match(addresses(own))
    at_rest(running)

    with own.inside():
        event_ids = [outbox.emit(TOPIC, {})]
    with control("test"):
        event_ids += [outbox.emit(TOPIC, {})]

    assert eventually(lambda: {str(one) for one in event_ids} <= set(running.sent), seconds=2)


def test_databases__with_nothing_to_do__are_left_alone(running, platform):
    running.match(addresses(*platform["database"]))
    at_rest(running)
    running.visits.clear()

    time.sleep(2)

    assert running.visits == []


@pytest.mark.parametrize("missed", [True, False])
def test_event__whose_announcement_is_missed__waits_for_the_next_poll(running, monkeypatch, missed):
    monkeypatch.setattr(rounds, "POLL_SECONDS", 1.5)
    monkeypatch.setattr(rounds, "PREPARE", "SELECT 1" if missed else rounds.PREPARE)
    running.match(addresses())
    assert eventually(lambda: len(running.visits) > 1)

    with control("test"):
        event_id = outbox.emit(TOPIC, {})

    assert eventually(lambda: str(event_id) in running.sent, seconds=3)


def test_connection__that_is_cut__is_made_anew(running):
    running.match(addresses())
    at_rest(running)

    with servers.as_administrator() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tenantry relay'"
        connection.execute(query)
    with control("test"):
        event_id = outbox.emit(TOPIC, {})

    assert eventually(lambda: str(event_id) in running.sent)


def test_database__that_cannot_be_reached__holds_up_no_other(running):
    running.match({"away": "postgresql://nobody@127.0.0.1:1/none", **addresses()})
    rests = eventually(lambda: running.rounds.stations["default"].due > time.monotonic() + 5)

    with control("test"):
        event_id = outbox.emit(TOPIC, {})

    assert rests
    assert eventually(lambda: str(event_id) in running.sent, seconds=2)


def test_database__that_is_gone__is_left(running, platform):
    own, *_ = platform["database"]
    running.match(addresses(own))
    at_rest(running)

    running.match(addresses())
    running.visits.clear()
    time.sleep(0.5)

    assert set(running.rounds.stations) == {"default"}
    with servers.as_administrator() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenantry relay'"
        assert connection.execute(query).fetchone() == (1,)


FULL = """INSERT INTO platform.outbox (event_id, tenant_id, topic, payload)
    SELECT gen_random_uuid(), md5((number %% %s)::text)::uuid, 'tests.announced', '{}'
    FROM generate_series(1, %s) number"""
CLAIM = {
    "lane": "",
    "after": relay.FIRST,
    "organizations": relay.ORGANIZATIONS,
    "run": relay.RUN,
    "room": relay.IN_HAND,
}
STATEMENTS = {
    "lanes": (relay.LANES, {}, 10),
    "claim": (relay.CLAIM, CLAIM, relay.ORGANIZATIONS * (relay.RUN + 3)),
    "claim of those alone": (relay.CLAIM_ALONE, [relay.ALONE], relay.ALONE),
    "lapsed leases": (relay.LAPSE, [relay.TOGETHER], 10),
    "next": (relay.NEXT, {}, 10),
    "the page's figures": (events.BACKLOG, {"counted": events.COUNTED}, events.COUNTED + 10),
    **{
        f"the page's events, {state or 'all'}": (events.PENDING, {"state": state, "limit": 50}, 1000)
        for state in ("", "waiting")
    },
}


@pytest.fixture(params=["counted when full", "counted when empty"])
def fill(request, platform, database) -> Iterator[Callable[[int], None]]:
    """Fills the outbox with a hundred thousand events; PostgreSQL has counted it before or after."""
    owner = psycopg.connect(settings.DATABASE_OWNER_URL, autocommit=True)
    owner.execute("TRUNCATE platform.outbox")  # the pages that other tests have filled are no queue's

    def filled(organizations: int) -> None:
        if request.param == "counted when empty":
            owner.execute("ANALYZE platform.outbox")
        with psycopg.connect(settings.DATABASE_URL) as connection:
            connection.execute("SET LOCAL ROLE app_control")
            connection.execute(FULL, [organizations, 100_000])
        if request.param == "counted when full":
            owner.execute("ANALYZE platform.outbox")

    with owner:
        yield filled
        owner.execute("TRUNCATE platform.outbox")
        owner.execute("ANALYZE platform.outbox")


@pytest.mark.parametrize("organizations", [1, 4000])
def test_statements__of_a_full_outbox__read_what_they_are_for(fill, organizations):
    """Of a hundred thousand rows each reads so many at most, through an index."""
    fill(organizations)
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection, connection.transaction():
        connection.execute(f"{relay.BEGIN}; {events.IN_ORDER}".encode())
        read = {name: rows_read(connection, statement, given) for name, (statement, given, _) in STATEMENTS.items()}

    assert {name: rows for name, rows in read.items() if rows > STATEMENTS[name][2]} == {}


def rows_read(connection: psycopg.Connection, statement: str, parameters: Any) -> float:
    explained = connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement.encode(), parameters).fetchone()
    assert explained
    return sum(rows_of(explained[0][0]["Plan"]))


def rows_of(plan: dict[str, Any]) -> Iterator[float]:
    """The rows that each scan of the table looked at."""
    if plan.get("Relation Name") == "outbox" and "Scan" in plan["Node Type"]:
        looked_at = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield looked_at * plan["Actual Loops"]
    for part in plan.get("Plans", []):
        yield from rows_of(part)
