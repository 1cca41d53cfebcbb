"""Many events in a message: each is handled as if it had come alone, in its organization's order."""

from __future__ import annotations

import inspect
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.db import connections
from django.utils import timezone

from apps.tenancy import outbox, tasks
from apps.tenancy.context import TenantContext, control, current
from apps.tenancy.outbox import batches, events
from apps.tenancy.outbox.relay import OutboxEvent, Relay
from apps.tenancy.tasks import EVENTS_HEADER, registered_tasks
from tests.support.factories import Organization

TOPIC, OTHER = "tests.noted", "tests.also_noted"
SUBSCRIBED = [
    "apps.accounts.tasks.republish_rights",
    "apps.accounts.tasks.withdraw_shares",
    "apps.audit.tasks.forward_control_event",
    "apps.audit.tasks.forward_event",
    "apps.fleet.tasks.retry_quarantined",
    "apps.notifications.tasks.send_invitation",
    "apps.notifications.tasks.send_organizations",
    "apps.notifications.tasks.send_password_reset",
    "apps.notifications.tasks.send_verification",
    "apps.notifications.tasks.send_welcome_email",
    "apps.tenants.tasks.finish_provisioning",
    "apps.tenants.tasks.replenish_after_claim",
    "apps.tenants.tasks.tell_of_changed_tenants",
]


@dataclass(frozen=True)
class Message:
    task: str
    kwargs: dict[str, Any]
    headers: dict[str, Any]

    @property
    def numbers(self) -> list[int]:
        """What the payloads of its events say."""
        return [payload["number"] for payload in self.payloads]

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [event["payload"] for event in self.kwargs["events"]] if self.is_batch else [self.kwargs]

    @property
    def is_batch(self) -> bool:
        return EVENTS_HEADER in self.headers

    def perform(self) -> Any:
        """Handle it as a worker does; the error it ended with."""
        return registered_tasks()[self.task].apply(kwargs=self.kwargs, headers=self.headers, throw=False).result


@dataclass
class Queue:
    """A relay of the control plane's outbox with the messages that it sent."""

    relay: Relay
    messages: SimpleQueue[Message]

    def deliver(self) -> list[Message]:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
            while self.relay.deliver(connection) and self.relay.is_midway:
                pass
        return [self.messages.get() for _ in range(self.messages.qsize())]


@dataclass(frozen=True)
class Noted:
    number: int
    tenant_id: UUID
    is_alone: bool
    request_id: str


@dataclass
class Notes:
    """What a task was called with, and what is to go wrong."""

    seen: list[Noted] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)  # in a message of many

    @property
    def numbers(self) -> list[int]:
        return [noted.number for noted in self.seen]


@pytest.fixture
def queue(platform, database, monkeypatch) -> Queue:
    messages: SimpleQueue[Message] = SimpleQueue()

    def send_task(task: str, *args: Any, **options: Any) -> None:
        if "kwargs" not in options:
            return  # what a task itself has sent
        messages.put(Message(task, options["kwargs"], options["headers"]))

    monkeypatch.setattr(current_app, "send_task", send_task)
    in_outbox("DELETE FROM platform.outbox")
    return Queue(Relay("default", tasks.publish, lease_seconds=60), messages)


@pytest.fixture
def notes(monkeypatch) -> Iterator[Notes]:
    notes = Notes()

    @shared_task(bind=True, name="tests.note", autoretry_for=(OSError,))
    def note(self: Any, event_id: str, number: int) -> None:
        is_alone = bool((self.request.headers or {}).get(tasks.OUTBOX_HEADER))
        context, logged = current(), structlog.contextvars.get_contextvars()
        assert isinstance(context, TenantContext)
        assert self.tenant_id == context.tenant_id
        notes.seen.append(Noted(number, context.tenant_id, is_alone, logged.get("request_id", "")))
        if number in notes.failing and not is_alone:
            raise OSError("not now")

    name = current_app.tasks[note.name].name
    monkeypatch.setitem(events._subscribers, TOPIC, [name])
    monkeypatch.setitem(events._subscribers, OTHER, [name])
    yield notes
    current_app.tasks.unregister(name)


@pytest.fixture
def organizations(platform, database) -> list[Organization]:
    """Four whose events about them are in the control plane's outbox."""
    return [organization for kind in ("schema", "pool") for organization in platform[kind]]


def emit(organization: Organization, number: int, *, topic: str = TOPIC, lane: str = "") -> UUID:
    with control("test"):
        return outbox.emit(topic, {"number": number}, tenant_id=organization.tenant.id, lane=lane)


def in_outbox(statement: str, *parameters: Any) -> list[Any]:
    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_relay")
        cursor = connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


# -- what a message holds -----------------------------------------------------------------------------------------


def test_events__of_many_organizations__go_in_one_message(queue, notes, organizations):
    for number, organization in enumerate(organizations * 2):
        emit(organization, number)

    (message,) = queue.deliver()

    assert message.is_batch
    assert sorted(message.numbers) == list(range(8))


@pytest.mark.parametrize(
    ("emitted", "first", "then"),
    [
        ([(TOPIC, ""), (TOPIC, "")], [[0, 1]], []),
        ([(TOPIC, ""), (OTHER, ""), (TOPIC, "")], [[0]], [[1]]),
        ([(TOPIC, ""), (TOPIC, "mails")], [[0], [1]], []),
        ([(TOPIC, "a"), (TOPIC, "b"), (TOPIC, "a")], [[0, 2], [1]], []),
        ([("nobody.cares", ""), (TOPIC, "")], [[1]], []),
        ([(TOPIC, "")] * 25, [list(range(20))], [list(range(20, 25))]),
    ],
)
def test_events__of_one_organization__go_as_far_as_they_keep_their_order(queue, notes, acme, emitted, first, then):
    for number, (topic, lane) in enumerate(emitted):
        emit(acme, number, topic=topic, lane=lane)

    sent = queue.deliver()
    meanwhile = queue.deliver()
    for message in sent:
        message.perform()

    assert [message.numbers for message in sent] == first
    assert meanwhile == []
    assert [message.numbers for message in queue.deliver()] == then


def test_events__of_a_topic_that_takes_long__go_alone_and_hold_up_nothing(queue, notes, acme, monkeypatch):
    monkeypatch.setattr(events, "_alone", {OTHER})
    for number, topic in enumerate([OTHER, TOPIC, OTHER]):
        emit(acme, number, topic=topic)

    sent = queue.deliver()

    assert {(message.is_batch, *message.numbers) for message in sent} == {(False, 0), (True, 1), (False, 2)}


def test_organizations__more_than_are_looked_at_at_once__all_get_their_turn(queue, notes, monkeypatch, acme):
    monkeypatch.setattr("apps.tenancy.outbox.relay.ORGANIZATIONS", 2)
    with control("test"):
        for number in range(7):
            outbox.emit(TOPIC, {"number": number}, tenant_id=uuid4())

    sent = queue.deliver()

    assert sorted(number for message in sent for number in message.numbers) == list(range(7))


# -- how it is handled --------------------------------------------------------------------------------------------


def test_message__of_many_organizations__is_handled_in_the_context_of_each(queue, notes, organizations):
    for number, organization in enumerate(organizations):
        with structlog.contextvars.bound_contextvars(request_id=f"request {number}"):
            emit(organization, number)

    (message,) = queue.deliver()
    message.perform()

    wanted = {Noted(n, one.tenant.id, False, f"request {n}") for n, one in enumerate(organizations)}
    assert set(notes.seen) == wanted
    assert in_outbox("SELECT 1 FROM platform.outbox") == []
    assert current() is None


def test_message__however_many_events__takes_as_many_statements_besides_theirs(queue, notes, organizations):
    found = []
    for many in (organizations[:1], organizations):
        for number, organization in enumerate(many):
            emit(organization, number)
        (message,) = queue.deliver()
        statements: list[str] = []

        def note(execute: Any, sql: str, *rest: Any, seen: list[str] = statements) -> Any:
            seen.append(sql)
            return execute(sql, *rest)

        with connections["default"].execute_wrapper(note):
            message.perform()
        found.append(len(statements))

    assert found == [3, 3]  # which are still ours, whose they are, and what became of them


@pytest.mark.parametrize(
    ("error", "kind"),
    [("raises", "OSError"), ("has the wrong arguments", "TypeError"), ("is of no organization", "TaskRefused")],
)
def test_event__that_fails__comes_alone_next_and_holds_up_no_other(queue, notes, organizations, error, kind):
    notes.failing = {1} if error == "raises" else set()
    for number, organization in enumerate(organizations):
        if number == 1 and error != "raises":
            payload = {"number": 1} if error == "is of no organization" else {"number": 1, "nonsense": 1}
            with control("test"):
                tenant_id = None if error == "is of no organization" else organization.tenant.id
                outbox.emit(TOPIC, payload, tenant_id=tenant_id)
        else:
            emit(organization, number)

    (message,) = queue.deliver()
    assert message.perform() is None
    (next_one,) = queue.deliver()

    assert set(notes.numbers) >= {0, 2, 3}
    assert (next_one.is_batch, next_one.numbers) == (False, [1])
    ((said,),) = in_outbox("SELECT last_error FROM platform.outbox")
    assert said.split(":")[0] == kind


def test_event__after_one_that_failed__does_not_wait_for_it(queue, notes, acme):
    notes.failing = {0}
    for number in range(3):
        emit(acme, number)

    (message,) = queue.deliver()
    message.perform()
    emit(acme, 3)

    assert sorted(message.numbers for message in queue.deliver()) == [[0], [3]]


def test_event__of_an_organization_that_is_gone__goes_without_the_others(queue, notes, acme):
    with control("test"):
        outbox.emit(TOPIC, {"number": 0}, tenant_id=uuid4())
    emit(acme, 1)

    (message,) = queue.deliver()
    message.perform()

    assert notes.numbers == [1]
    assert in_outbox("SELECT 1 FROM platform.outbox") == []


def test_message__that_takes_too_long__hands_back_what_is_left(queue, notes, organizations, monkeypatch):
    for number, organization in enumerate(organizations):
        emit(organization, number)
    (message,) = queue.deliver()
    monkeypatch.setattr(batches, "time", Clock(seconds=2.0))

    message.perform()
    (rest,) = queue.deliver()

    assert len(notes.seen) == 2
    assert sorted(notes.numbers + rest.numbers) == [0, 1, 2, 3]
    assert in_outbox("SELECT DISTINCT deliveries FROM platform.outbox") == [(1,)]


class Clock:
    """Goes on by so much whenever it is looked at."""

    def __init__(self, *, seconds: float) -> None:
        self._times = count(0.0, seconds)

    def monotonic(self) -> float:
        return next(self._times)


def test_message__begun_before_the_relay_has_committed__waits_for_that(queue, notes, acme, monkeypatch):
    performed = []
    monkeypatch.setattr(current_app, "send_task", lambda task, **message: performed.append(perform_soon(task, message)))
    emit(acme, 0)

    with ThreadPoolExecutor(1) as pool:

        def perform_soon(task: str, message: dict[str, Any]) -> Any:
            begun = pool.submit(in_a_thread, Message(task, message["kwargs"], message["headers"]))
            time.sleep(0.3)
            return begun

        queue.deliver()
        performed[0].result()

    assert notes.numbers == [0]
    assert left() == 0


def in_a_thread(message: Message) -> None:
    message.perform()
    connections.close_all()


def test_message__delivered_again_when_it_is_done__does_nothing(queue, notes, acme):
    emit(acme, 0)
    (message,) = queue.deliver()

    for _ in range(2):
        message.perform()

    assert notes.numbers == [0]


def test_message__that_comes_after_its_lease__leaves_the_events_to_the_next_one(queue, notes, acme):
    emit(acme, 0)
    (late,) = queue.deliver()
    in_outbox("UPDATE platform.outbox SET available_at = now() - interval '1 second'")
    (again,) = queue.deliver()

    late.perform()
    before = list(notes.numbers)
    again.perform()

    assert (before, notes.numbers) == ([], [0])


def test_message__lost_twice__is_taken_apart(queue, notes, acme):
    for number in range(2):
        emit(acme, number)

    kinds = []
    for _ in range(3):
        kinds.append([message.is_batch for message in queue.deliver()])
        in_outbox("UPDATE platform.outbox SET available_at = now() - interval '1 second'")

    assert kinds == [[True], [True], [False, False]]


@pytest.mark.parametrize("name", SUBSCRIBED)
def test_subscribed_task__in_a_message_of_many__handles_all_but_the_one_that_fails(
    queue, organizations, monkeypatch, name
):
    task = registered_tasks()[name]
    monkeypatch.setattr(events, "_alone", set())
    monkeypatch.setitem(events._subscribers, TOPIC, [name])
    with control("test"):
        for number, organization in enumerate(organizations):
            nonsense = {"nonsense": 1} if number == 1 else {}
            outbox.emit(TOPIC, {**arguments_of(task), **nonsense}, tenant_id=organization.tenant.id)

    (message,) = [message for message in queue.deliver() if message.task == name]
    assert message.perform() is None

    left = in_outbox("SELECT tenant_id, stage FROM platform.outbox WHERE topic = %s", TOPIC)
    assert left == [(organizations[1].tenant.id, "alone")]


def test_subscribed_tasks__are_all_in_the_table():
    registered_tasks()
    known = {name for topic, names in events._subscribers.items() if not topic.startswith("tests.") for name in names}

    assert known == set(SUBSCRIBED)


def arguments_of(task: Any) -> dict[str, Any]:
    """Something of the right type for each argument, which nothing belongs to."""
    parameters = inspect.signature(task.run).parameters.values()
    return {one.name: _argument(one.name, str(one.annotation)) for one in parameters if one.name != "event_id"}


def _argument(name: str, annotation: str) -> Any:
    if annotation == "int":
        return 1
    return timezone.now().isoformat() if name == "before" else str(uuid4())


# -- order --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_order__whatever_fails_and_is_lost__is_that_of_the_organization(queue, notes, organizations, seed):
    """Workers and the relay at once, while events are emitted, fail, and messages are lost."""
    chance = random.Random(seed)
    queue.relay = Relay("default", tasks.publish, lease_seconds=0.3)
    whose = [chance.choice(organizations) for _ in range(120)]
    notes.failing = {number for number in range(len(whose)) if chance.random() < 0.1}
    over: threading.Event = threading.Event()
    to_do: SimpleQueue[Message] = SimpleQueue()

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(emit_all, whose), *(pool.submit(work, to_do, over) for _ in range(2))]
        deadline = time.monotonic() + 60
        while (not running[0].done() or left()) and time.monotonic() < deadline:
            for message in queue.deliver():
                if chance.random() < 0.9 or not message.is_batch:
                    to_do.put(message)
            time.sleep(0.01)
        over.set()
        for one in running:
            one.result()

    assert set(notes.numbers) == set(range(len(whose)))
    assert in_order(notes.seen)


def emit_all(whose: Sequence[Organization]) -> None:
    for number, organization in enumerate(whose):
        emit(organization, number)
    connections.close_all()


def work(to_do: SimpleQueue[Message], over: threading.Event) -> None:
    while not over.is_set():
        with suppress(Empty):
            to_do.get(timeout=0.02).perform()
    connections.close_all()


def in_order(seen: Sequence[Noted]) -> bool:
    """Whether each organization's events began in order, but for those that first came alone."""
    begun: dict[UUID, list[int]] = defaultdict(list)
    known: set[int] = set()
    for noted in seen:
        if noted.number not in known and not noted.is_alone:
            begun[noted.tenant_id].append(noted.number)
        known.add(noted.number)
    return all(numbers == sorted(numbers) for numbers in begun.values())


def left() -> int:
    return int(in_outbox("SELECT count(*) FROM platform.outbox")[0][0])


# -- what it costs ------------------------------------------------------------------------------------------------


def test_relays__of_which_one_is_handing_over__do_not_overtake_each_other(queue, notes, acme):
    emit(acme, 0)
    overtaken: list[int] = []

    def publish(task: str, events: Sequence[OutboxEvent]) -> None:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True) as other:
            overtaken.append(Relay("default", tasks.publish, lease_seconds=60).deliver(other))

    queue.relay = Relay("default", publish, lease_seconds=60)
    queue.deliver()

    assert overtaken == [0]
