"""Events leave with their transaction, and arrive."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connections
from kombu.exceptions import OperationalError as BrokerUnavailable

from apps.tenancy import outbox
from apps.tenancy.context import control, use
from apps.tenancy.errors import NoTenantContext
from apps.tenancy.relay import Event, Relay
from apps.tenancy.transactions import atomic

TOPIC = "tests.happened"


@pytest.fixture
def url(home, platform, database):
    """The address of the outbox of the home organization's database, emptied."""
    place = home.tenant._placement()
    address = place.database.url.reveal() if place.database else settings.DATABASE_URL
    with psycopg.connect(address, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_relay")
        connection.execute("DELETE FROM platform.outbox")
    return address


@pytest.fixture
def subscribed(monkeypatch):
    monkeypatch.setitem(outbox._subscribers, TOPIC, ["one.task", "other.task"])


def deliver(url: str, publish: Any) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return Relay("test", publish).deliver(connection)


def test_event__of_a_committed_transaction__reaches_every_subscriber_once(home, url, subscribed):
    sent: list[tuple[str, UUID | None, dict]] = []
    with home.inside(), atomic():
        outbox.emit(TOPIC, {"answer": 42})

    first = deliver(url, lambda task, event: sent.append((task, event.tenant_id, event.payload)))
    second = deliver(url, lambda task, event: sent.append((task, event.tenant_id, event.payload)))

    assert (first, second) == (1, 0)
    assert sent == [(task, home.tenant.id, {"answer": 42}) for task in ("one.task", "other.task")]


def test_event__of_a_rolled_back_transaction__never_was(home, url, subscribed):
    with home.inside(), pytest.raises(ZeroDivisionError), atomic():
        outbox.emit(TOPIC, {})
        raise ZeroDivisionError

    assert deliver(url, lambda task, event: None) == 0


def test_event__whose_broker_is_away__stays_with_the_error(home, url, subscribed):
    def publish(task: str, event: Event) -> None:
        raise BrokerUnavailable("no broker")

    with home.inside():
        outbox.emit(TOPIC, {})

    assert deliver(url, publish) == 1
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_relay")
        rows = connection.execute("SELECT attempts, last_error, available_at > now() FROM platform.outbox").fetchall()
    assert rows == [(1, "no broker", True)]


def test_event__whose_relay_dies_while_handing_over__is_delivered_again(home, url, subscribed):
    def die(task: str, event: Event) -> None:
        raise KeyboardInterrupt

    with home.inside():
        outbox.emit(TOPIC, {})
    with pytest.raises(KeyboardInterrupt):
        deliver(url, die)

    assert deliver(url, lambda task, event: None) == 1


@pytest.mark.parametrize("payload", ["[1]", '"x"', "1"])
def test_event__whose_payload_is_no_object__is_refused_by_the_database(home, payload):
    with home.inside(), connections[home.context.alias].cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute(outbox.INSERT, [uuid4(), home.tenant.id, TOPIC, payload, ""])


def test_event__that_nobody_subscribes_to__does_not_stop_the_others(home, url, subscribed):
    sent: list[str] = []
    with home.inside():
        outbox.emit("nobody.cares", {})
        outbox.emit(TOPIC, {})

    deliver(url, lambda task, event: sent.append(event.topic))

    assert sent == [TOPIC, TOPIC]


def test_event__without_a_context__is_refused(platform, database):
    with use(None), pytest.raises(NoTenantContext):
        outbox.emit(TOPIC, {})


def test_event__of_the_control_plane__names_its_tenant(platform, database, subscribed):
    tenant_id, sent = uuid4(), []
    with control("test"):
        outbox.emit(TOPIC, {}, tenant_id=tenant_id)

    deliver(settings.DATABASE_URL, lambda task, event: sent.append(event.tenant_id))

    assert set(sent) >= {tenant_id}


@pytest.mark.parametrize("statement", ["SELECT 1 FROM platform.outbox", "DELETE FROM platform.outbox"])
def test_outbox__read_by_a_tenant__is_denied(home, statement):
    with home.inside(), connections[home.context.alias].cursor() as cursor:
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute(statement)


def test_event__written_for_a_foreign_tenant__is_refused(home, foreign):
    with home.inside(), connections[home.context.alias].cursor() as cursor:
        with pytest.raises(ProgrammingError, match="row-level security"):
            cursor.execute(outbox.INSERT, [uuid4(), foreign.tenant.id, TOPIC, "{}", ""])
