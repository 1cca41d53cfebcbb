"""Hands the outbox of one database to the task queue, many events in a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import structlog

from ..walls.roles import APP_RELAY
from . import goes_alone, subscribers_of
from .batches import ERROR_LENGTH

log = structlog.get_logger(__name__)

ORGANIZATIONS = 100  # of a lane, looked at in one statement
RUN = 20  # events of one organization in a message
MESSAGE_FEWEST, MESSAGE_MOST = 20, 50  # events in a message
MESSAGES = 2  # that a claim is shared out among, as long as they are not too small
IN_HAND = 1000  # events of a lane in messages: more would only wait in the queue, where nobody sees their order
ALONE = 100
MESSAGE_LEASE_SECONDS = (
    60  # for a message's way to a worker and the few seconds it may take there; doubled the next time
)
REFUSALS = 3  # of messages, until the queue counts as away
MAX_DELAY_SECONDS = 300
MAX_ATTEMPTS = 100  # about eight hours; then an event is parked until somebody looks

TOGETHER = 2  # deliveries in a message of many; who is not finished then goes alone
MAX_DELIVERIES = 10  # about five days of tasks that never finish
MAX_LEASE_SECONDS = 24 * 3600

FIRST = UUID(int=0)  # before every organization

# A queue is empty or full, and statistics know neither: without this a plan for an empty one sorts a hundred thousand.
BEGIN = f"SET LOCAL ROLE {APP_RELAY}; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
LEAD = "SELECT pg_try_advisory_xact_lock(hashtextextended('platform.outbox', 0))"
LAPSE = """UPDATE platform.outbox SET stage = CASE WHEN deliveries >= %s THEN 'alone' ELSE 'waiting' END
    WHERE stage = 'in hand' AND available_at <= now()"""
LANES = """WITH RECURSIVE lanes AS (
        (SELECT lane FROM platform.outbox WHERE stage = 'waiting' ORDER BY lane LIMIT 1)
        UNION ALL SELECT (SELECT lane FROM platform.outbox WHERE stage = 'waiting' AND lane > lanes.lane
            ORDER BY lane LIMIT 1) FROM lanes WHERE lane IS NOT NULL)
    SELECT lane, (SELECT count(*) FROM platform.outbox WHERE stage = 'in hand' AND lane = lanes.lane)
    FROM lanes WHERE lane IS NOT NULL"""
# The next organizations with something waiting, and of each that has nothing in hand the first of its events.
CLAIM = """WITH RECURSIVE organizations AS (
        (SELECT organization FROM platform.outbox WHERE stage = 'waiting' AND lane = %(lane)s
            AND organization > %(after)s ORDER BY organization LIMIT 1)
        UNION ALL SELECT (SELECT organization FROM platform.outbox WHERE stage = 'waiting' AND lane = %(lane)s
            AND organization > organizations.organization ORDER BY organization LIMIT 1)
        FROM organizations WHERE organization IS NOT NULL),
    visited AS (SELECT organization FROM organizations WHERE organization IS NOT NULL LIMIT %(organizations)s)
    SELECT visited.organization, event.* FROM visited LEFT JOIN LATERAL (
        SELECT available_at <= now() AS is_due, id, event_id, tenant_id, lane, topic, payload, request_id,
            waiting_for, deliveries, stage FROM platform.outbox
        WHERE stage = 'waiting' AND lane = %(lane)s AND organization = visited.organization
            AND NOT EXISTS (SELECT FROM platform.outbox WHERE stage = 'in hand' AND lane = %(lane)s
                AND organization = visited.organization)
        ORDER BY id LIMIT %(run)s) event ON true
    ORDER BY visited.organization, event.id LIMIT %(room)s"""
CLAIM_ALONE = """SELECT id, event_id, tenant_id, lane, topic, payload, request_id, waiting_for, deliveries, stage
    FROM platform.outbox WHERE stage = 'alone' AND available_at <= now()
    ORDER BY available_at, id LIMIT %s FOR UPDATE SKIP LOCKED"""
LEASE = """UPDATE platform.outbox SET waiting_for = coalesce(waiting_for, %(tasks)s), deliveries = deliveries + 1,
    stage = 'in hand', available_at = now() + %(lease)s * power(2, deliveries) * interval '1 second'
    WHERE id = ANY(%(ids)s)"""
LEASE_ALONE = """UPDATE platform.outbox SET waiting_for = coalesce(waiting_for, %(tasks)s), deliveries = deliveries + 1,
    stage = 'alone', available_at = CASE WHEN deliveries + 1 < %(deliveries)s
        THEN now() + least(%(lease)s * power(2, deliveries), %(longest)s) * interval '1 second' ELSE 'infinity' END
    WHERE id = ANY(%(ids)s)"""
# What the queue did not take keeps its place, and holds what comes after it; what nobody may take, or nobody takes
# for hours, holds nothing.
POSTPONE = """UPDATE platform.outbox SET attempts = attempts + 1, last_error = %(error)s,
    waiting_for = CASE WHEN deliveries > 1 THEN waiting_for END, deliveries = greatest(deliveries - 1, 0),
    stage = CASE WHEN %(alone)s OR attempts >= %(attempts)s THEN 'alone' ELSE 'waiting' END,
    available_at = CASE WHEN attempts < %(attempts)s
        THEN now() + least(power(2, attempts), %(longest)s) * interval '1 second' ELSE 'infinity' END
    WHERE id = ANY(%(ids)s)"""
NEXT = """SELECT extract(epoch FROM least(
        (SELECT min(available_at) FROM platform.outbox WHERE stage = 'in hand'),
        (SELECT min(available_at) FROM platform.outbox WHERE stage = 'alone' AND available_at < 'infinity')
    ) - clock_timestamp())::float"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class OutboxEvent:
    database: str
    id: int
    event_id: UUID
    tenant_id: UUID | None
    lane: str
    topic: str
    payload: dict[str, Any]
    request_id: str
    waiting_for: list[str] | None
    deliveries: int  # before this one
    stage: str

    @property
    def tasks(self) -> list[str]:
        """The tasks that have not finished it yet. Raises LookupError if nobody subscribes to its topic."""
        return subscribers_of(self.topic) if self.waiting_for is None else self.waiting_for

    @property
    def is_alone(self) -> bool:
        return self.stage == "alone" or self.deliveries >= TOGETHER or goes_alone(self.topic)


Publish = Callable[[str, Sequence[OutboxEvent]], None]  # a task and the events of one message to it


class Relay:
    """Reads the outbox of one database over a direct connection; of several relays one at a time hands over.

    ``database`` is its alias. An event that goes alone and is not finished within ``lease_seconds`` is handed over
    again; one in a message of many, sooner.
    """

    def __init__(self, database: str, publish: Publish, *, lease_seconds: float) -> None:
        self.database = database
        self.publish = publish
        self.lease_seconds = lease_seconds
        self.is_midway = False  # there are organizations that were not looked at
        self.is_refused = False  # there is something that the queue did not take
        self._after: dict[str, UUID] = {}  # the organization of each lane up to which all have been looked at

    def deliver(self, connection: Connection) -> int:
        """Hand over what fits in a few messages. Returns how many events it was.

        A row stays until its tasks are done, hidden for the time of its lease: what the broker or a killed worker
        loses is handed over again. A kill before the commit delivers it twice, never not at all.
        """
        self.is_midway = self.is_refused = False
        with connection.transaction():
            connection.execute(BEGIN)
            (leads,) = connection.execute(LEAD).fetchone() or (False,)
            if not leads:
                return 0
            connection.execute(LAPSE, [TOGETHER])
            alone = [self._event(row) for row in connection.execute(CLAIM_ALONE, [ALONE]).fetchall()]
            together: list[OutboxEvent] = []
            for lane, in_hand in connection.execute(LANES).fetchall():
                for event in self._claim(connection, lane, IN_HAND - in_hand):
                    (alone if event.is_alone else together).append(event)
            self._hand_over(connection, together, alone)
        return len(together) + len(alone)

    def seconds_to_next(self, connection: Connection) -> float | None:
        """When something that is in hand, or postponed, is to be handed over again; None if there is nothing."""
        with connection.transaction():
            connection.execute(BEGIN)
            (seconds,) = connection.execute(NEXT).fetchone() or (None,)
        return seconds

    def _claim(self, connection: Connection, lane: str, room: int) -> Iterator[OutboxEvent]:
        """The first events of the next organizations in a lane: of each as many as belong in one message."""
        if room <= 0:
            return
        parameters = {
            "lane": lane,
            "after": self._after.get(lane, FIRST),
            "organizations": ORGANIZATIONS,
            "run": RUN,
            "room": room,
        }
        rows = connection.execute(CLAIM, parameters).fetchall()
        visited = {row[0] for row in rows}
        is_cut = len(rows) == room or len(visited) == ORGANIZATIONS
        self._after[lane] = rows[-1][0] if is_cut else FIRST
        self.is_midway = self.is_midway or is_cut  # what is emitted, or comes free, behind our back is announced
        for _, found in groupby(rows, key=lambda row: row[0]):
            yield from _run((row[1], self._event(row[2:])) for row in found if row[1] is not None)

    def _event(self, row: Iterable[Any]) -> OutboxEvent:
        return OutboxEvent(self.database, *row)

    def _hand_over(self, connection: Connection, together: list[OutboxEvent], alone: list[OutboxEvent]) -> None:
        together, alone = self._subscribed(connection, together), self._subscribed(connection, alone)
        _lease(connection, LEASE, together, lease=min(self.lease_seconds, MESSAGE_LEASE_SECONDS))
        limits = {"deliveries": MAX_DELIVERIES, "longest": MAX_LEASE_SECONDS}
        _lease(connection, LEASE_ALONE, alone, lease=self.lease_seconds, **limits)
        messages = [*_messages(together), *((task, [event]) for event in alone for task in event.tasks)]
        self._publish(connection, messages)

    def _publish(self, connection: Connection, messages: list[tuple[str, list[OutboxEvent]]]) -> None:
        """Send each message, unless the queue has refused some: then it is away, and the others need not find out."""
        refused: set[int] = set()
        refusals: list[Exception] = []
        for task, events in messages:
            message = [event for event in events if event.id not in refused]
            if not message:
                continue
            try:
                if len(refusals) == REFUSALS:
                    raise refusals[-1]
                self.publish(task, message)
            except Exception as error:  # noqa: BLE001  one message must not stop all others
                refusals += [error] if len(refusals) < REFUSALS else []
                refused.update(event.id for event in message)
                _postpone(connection, message, error, alone=message[0].is_alone)
        self.is_refused = bool(refusals)

    def _subscribed(self, connection: Connection, events: list[OutboxEvent]) -> list[OutboxEvent]:
        """Those that some task handles; the others wait for a release that has one."""
        known = []
        for event in events:
            try:
                known += [event] if event.tasks else []
            except LookupError as error:
                _postpone(connection, [event], error, alone=True)
        return known


def _run(events: Iterable[tuple[bool, OutboxEvent]]) -> Iterator[OutboxEvent]:
    """What of an organization's events, first to last, may go now: those of one topic, begun in order by its task."""
    topic = ""
    for is_due, event in events:
        if event.is_alone and is_due:
            yield event
        elif is_due and event.topic == (topic or event.topic):
            topic = event.topic
            yield event
        else:
            return


def _messages(events: list[OutboxEvent]) -> Iterator[tuple[str, list[OutboxEvent]]]:
    """Messages to each task, of each lane; all events of an organization are in the same one."""
    of_task: dict[tuple[str, str], list[OutboxEvent]] = defaultdict(list)
    for event in events:
        for task in event.tasks:
            of_task[task, event.lane].append(event)
    for (task, _), found in of_task.items():
        size = max(MESSAGE_FEWEST, min(MESSAGE_MOST, len(found) // MESSAGES))
        message: list[OutboxEvent] = []
        for _, run in groupby(found, key=lambda event: event.tenant_id):
            message += run
            if len(message) >= size:
                yield task, message
                message = []
        if message:
            yield task, message


def _lease(connection: Connection, statement: LiteralString, events: list[OutboxEvent], **parameters: Any) -> None:
    of_topic: dict[str, list[OutboxEvent]] = defaultdict(list)
    for event in events:
        of_topic[event.topic].append(event)
    for found in of_topic.values():
        tasks = next((event.tasks for event in found if event.waiting_for is None), [])
        connection.execute(statement, {"ids": [event.id for event in found], "tasks": tasks, **parameters})


def _postpone(connection: Connection, events: list[OutboxEvent], error: Exception, *, alone: bool) -> None:
    ids = [str(event.event_id) for event in events]
    log.error("outbox_events_postponed", topic=events[0].topic, event_ids=ids, error=str(error))
    limits = {"attempts": MAX_ATTEMPTS, "longest": MAX_DELAY_SECONDS}
    parameters = {"ids": [event.id for event in events], "error": str(error)[:ERROR_LENGTH], "alone": alone, **limits}
    connection.execute(POSTPONE, parameters)
