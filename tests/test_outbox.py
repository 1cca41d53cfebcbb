"""Events leave with their transaction, and arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from celery import current_app, shared_task
from django.conf import settings
from django.db import IntegrityError, ProgrammingError, connections
from kombu.exceptions import OperationalError as BrokerUnavailable
from psycopg import sql

from apps.tenancy import outbox, tasks
from apps.tenancy.context import OutboxContext, control, use
from apps.tenancy.errors import ContextError, NoTenantContext
from apps.tenancy.outbox import events
from apps.tenancy.outbox.relay import MAX_DELIVERIES, OutboxEvent, Relay
from apps.tenancy.schemas import server
from apps.tenancy.tasks import OUTBOX_HEADER
from apps.tenancy.transactions import atomic
from apps.tenants.errors import TenantNotFound
from tests.support import servers

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
    monkeypatch.setitem(events._subscribers, TOPIC, ["one.task", "other.task"])


def deliver(url: str, publish: Any, *, lease_seconds: float = 60) -> int:
    """Hand over once; ``publish`` is told of each event."""

    def publish_each(task: str, events: Sequence[OutboxEvent]) -> None:
        for event in events:
            publish(task, event)

    return deliver_messages(url, publish_each, lease_seconds=lease_seconds)


def deliver_messages(url: str, publish: Any, *, lease_seconds: float = 60) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        return Relay("test", publish, lease_seconds=lease_seconds).deliver(connection)


def in_outbox(url: str, columns: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_relay")
        return connection.execute(sql.SQL("SELECT {} FROM platform.outbox").format(sql.SQL(columns))).fetchall()


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
    def publish(task: str, event: OutboxEvent) -> None:
        raise BrokerUnavailable("no broker")

    with home.inside():
        outbox.emit(TOPIC, {})

    assert deliver(url, publish) == 1
    assert in_outbox(url, "attempts, last_error, available_at > now()") == [(1, "no broker", True)]


def test_event__whose_relay_dies_while_handing_over__is_delivered_again(home, url, subscribed):
    def die(task: str, event: OutboxEvent) -> None:
        raise KeyboardInterrupt

    with home.inside():
        outbox.emit(TOPIC, {})
    with pytest.raises(KeyboardInterrupt):
        deliver(url, die)

    assert deliver(url, lambda task, event: None) == 1


def test_event__handed_over__stays_until_all_its_tasks_are_done(home, url, subscribed):
    with home.inside():
        event_id = outbox.emit(TOPIC, {})
    deliver(url, lambda task, event: None)

    outbox.finish(event_id, task="one.task", database=home.context.alias)
    left = in_outbox(url, "event_id, waiting_for")
    outbox.finish(event_id, task="other.task", database=home.context.alias)

    assert left == [(event_id, ["other.task"])]
    assert in_outbox(url, "event_id") == []


def test_event__finished_by_two_tasks_at_once__goes(home, url, subscribed):
    with home.inside():
        event_id = outbox.emit(TOPIC, {})
    deliver(url, lambda task, event: None)

    def finish(task: str) -> None:
        outbox.finish(event_id, task=task, database=home.context.alias)
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(finish, ["one.task", "other.task"]))

    assert in_outbox(url, "event_id") == []


def test_event__that_the_queue_lost__is_handed_over_again_to_the_tasks_that_miss_it(home, url, subscribed):
    sent: list[str] = []
    with home.inside():
        event_id = outbox.emit(TOPIC, {})
    deliver(url, lambda task, event: None, lease_seconds=0)
    outbox.finish(event_id, task="one.task", database=home.context.alias)

    deliver(url, lambda task, event: sent.append(task))

    assert sent == ["other.task"]


def test_event__that_is_never_finished__is_parked_at_last(home, url, subscribed):
    with home.inside():
        outbox.emit(TOPIC, {})

    delivered = [deliver(url, lambda task, event: None, lease_seconds=0) for _ in range(MAX_DELIVERIES + 1)]

    assert delivered == [1] * MAX_DELIVERIES + [0]
    assert in_outbox(url, "deliveries, available_at = 'infinity'") == [(MAX_DELIVERIES, True)]


@pytest.fixture
def task(monkeypatch) -> Iterator[Any]:
    """A task of a tenant that subscribes to the topic and does what ``outcome`` says."""

    @shared_task(name="tests.subscriber", autoretry_for=(OSError,), retry_backoff=True)
    def subscriber(event_id: str, outcome: str) -> None:
        if outcome == "fails":
            raise ZeroDivisionError
        if outcome == "retries":
            raise OSError

    task = current_app.tasks[subscriber.name]
    monkeypatch.setitem(events._subscribers, TOPIC, [subscriber.name])
    yield task
    current_app.tasks.unregister(subscriber.name)


@pytest.mark.parametrize(("outcome", "waiting"), [("succeeds", 0), ("fails", 1), ("retries", 1)])
def test_event__whose_task_ran__waits_unless_it_succeeded(home, url, task, monkeypatch, outcome, waiting):
    messages = kept_messages(monkeypatch)
    with home.inside():
        outbox.emit(TOPIC, {"outcome": outcome})
    deliver_messages(url, tasks.publish)
    (message,) = messages
    message["headers"][OUTBOX_HEADER] = home.context.alias

    task.apply(kwargs=message["kwargs"], headers=message["headers"], throw=False)

    assert len(in_outbox(url, "event_id")) == waiting


def test_event__of_an_organization_that_is_gone__goes(platform, database, task, monkeypatch):
    messages = kept_messages(monkeypatch)
    with control("test"):
        outbox.emit(TOPIC, {"outcome": "succeeds"}, tenant_id=uuid4())
    deliver_messages(settings.DATABASE_URL, tasks.publish)
    message = messages[-1]
    message["headers"][OUTBOX_HEADER] = "default"

    task.apply(kwargs=message["kwargs"], headers=message["headers"], throw=False)

    assert in_outbox(settings.DATABASE_URL, "event_id") == []


def test_event__of_an_organization_that_is_gone__goes_though_it_came_alone(platform, database, task, monkeypatch):
    monkeypatch.setattr(events, "_alone", {TOPIC})
    messages = kept_messages(monkeypatch)
    with control("test"):
        outbox.emit(TOPIC, {"outcome": "succeeds"}, tenant_id=uuid4())
    deliver_messages(settings.DATABASE_URL, tasks.publish)
    message = messages[-1]
    message["headers"][OUTBOX_HEADER] = "default"

    result = task.apply(kwargs=message["kwargs"], headers=message["headers"], throw=False)

    assert isinstance(result.result, TenantNotFound)
    assert in_outbox(settings.DATABASE_URL, "event_id") == []


def kept_messages(monkeypatch) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **message: messages.append(message))
    return messages


@pytest.mark.parametrize("statement", ["SELECT 1 FROM accounts_user", "SELECT 1 FROM tenants_tenant"])
def test_outbox_context__reading_anything_else__is_denied(platform, database, statement):
    with use(OutboxContext("default")), connections["default"].cursor() as cursor:
        with pytest.raises(ProgrammingError):
            cursor.execute(statement)


def test_outbox_context__on_another_database__is_refused(platform, database):
    alias = platform["database"][0].context.alias
    with use(OutboxContext("default")), connections[alias].cursor() as cursor, pytest.raises(ContextError):
        cursor.execute("SELECT 1")


@pytest.mark.parametrize("payload", ["[1]", '"x"', "1"])
def test_event__whose_payload_is_no_object__is_refused_by_the_database(home, payload):
    with home.inside(), connections[home.context.alias].cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute(outbox.INSERT, [uuid4(), home.tenant.id, TOPIC, payload, "", ""])


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
            cursor.execute(outbox.INSERT, [uuid4(), foreign.tenant.id, TOPIC, "{}", "", ""])


def test_outbox__of_the_release_before__is_brought_up_to_date(platform, database, subscribed):
    """What waits in it goes alone, in no order; what comes then has one."""
    with servers.as_owner() as connection, control("test"):
        connection.execute("COMMENT ON SCHEMA platform IS '3'")
        connection.execute("ALTER TABLE platform.outbox DROP COLUMN lane, DROP COLUMN stage, DROP COLUMN organization")
        with connections["default"].cursor() as cursor:
            insert = "INSERT INTO platform.outbox (event_id, topic, payload) VALUES (%s, %s, %s)"
            cursor.execute(insert, [uuid4(), TOPIC, "{}"])
        server.upgrade_platform(connection, operator=settings.DATABASE_OPERATOR_ROLE)
        outbox.emit(TOPIC, {})

    columns = "stage, lane, organization::text, deliveries"
    nobody = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    assert sorted(in_outbox(settings.DATABASE_URL, columns)) == [("alone", "", nobody, 0), ("waiting", "", nobody, 0)]
    sent: list[bool] = []
    deliver(settings.DATABASE_URL, lambda task, event: sent.append(event.is_alone))
    assert sorted(sent) == [False, False, True, True]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("waiting_for", "ARRAY['apps.tenants.tasks.replenish_store']"),
        ("deliveries", "-1000"),
        ("attempts", "-1000"),
        ("available_at", "'-infinity'"),
        ("stage", "'alone'"),
        ("last_error", "'nothing'"),
        ("created_at", "'-infinity'"),
    ],
)
@pytest.mark.parametrize("plane", ["tenant", "control"])
def test_event__that_says_what_is_the_relays_to_say__is_refused_by_the_database(acme, plane, column, value):
    context = acme.inside() if plane == "tenant" else control("test")
    statement = f"INSERT INTO platform.outbox (event_id, topic, payload, {column}) VALUES (%s, 'x', '{{}}', {value})"

    with context, connections["default"].cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(statement, [uuid4()])
