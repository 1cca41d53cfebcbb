"""One process hands over the outboxes of all databases: whichever announces something, or is due, is visited."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from .relay import Relay

log = structlog.get_logger(__name__)

THREADS = 8  # visits at a time: a database that does not answer keeps one of them busy, for no longer than these
PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5}
PREPARE = "SET idle_in_transaction_session_timeout = '60s'; LISTEN outbox"  # as long as a broker may take

POLL_SECONDS = 30.0  # what a missed announcement costs
PAUSE_SECONDS = 0.1  # between two visits: what is announced meanwhile goes in one message
AFTERWARD_SECONDS = 1.0  # until it is asked when the next lease ends, or a refused event may be tried again
TURN_SECONDS = 1.0


class Station:
    """The outbox of one database: a connection that listens, and when to visit it next."""

    def __init__(self, name: str, url: str, relay: Relay) -> None:
        self.name, self.url, self.relay = name, url, relay
        self.connection: psycopg.Connection[Any] | None = None
        self.watched: int | None = None  # the number of its socket, while somebody waits for that
        self.due = 0.0
        self._visited = 0.0

    def visit(self) -> None:
        """Hand over what there is, reconnecting if the database was away."""
        try:
            connection = self.connection or self._connect()
            handed_over = self.relay.deliver(connection)
            pause = self._pause(connection, handed_over)
            self._visited = time.monotonic()
            self.due = self._visited + pause
            self.note_announcements()  # those that came meanwhile, which the socket will not show
        except psycopg.Error as error:
            self._lose(error)

    def note_announcements(self) -> None:
        """Be visited soon if rows were announced; many announcements count as one."""
        try:
            if self.connection is not None and list(self.connection.notifies(timeout=0)):
                self.due = min(self.due, self._visited + PAUSE_SECONDS)
        except psycopg.Error as error:
            self._lose(error)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _pause(self, connection: psycopg.Connection[Any], handed_over: int) -> float:
        if self.relay.is_refused:
            return AFTERWARD_SECONDS
        if self.relay.is_midway:
            return 0.0
        if handed_over:
            return AFTERWARD_SECONDS
        seconds = self.relay.seconds_to_next(connection)
        return POLL_SECONDS if seconds is None else min(POLL_SECONDS, max(PAUSE_SECONDS, seconds))

    def _connect(self) -> psycopg.Connection[Any]:
        address = make_conninfo(self.url, application_name="tenantry relay", **PATIENCE)
        self.connection = psycopg.connect(address, autocommit=True)
        self.connection.execute(PREPARE)
        return self.connection

    def _lose(self, error: psycopg.Error) -> None:
        log.warning("relay_reconnects", database=self.name, error=str(error).strip())
        self.close()
        self.due = time.monotonic() + AFTERWARD_SECONDS


class Rounds:
    """All stations, waited for by one thread and visited by a few."""

    def __init__(self, relay_of: Callable[[str], Relay]) -> None:
        self.stations: dict[str, Station] = {}
        self._relay_of = relay_of
        self._visits: dict[str, Future[None]] = {}
        self._selector = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="relay")
        self._ended, self._bell = socket.socketpair()
        for end in (self._ended, self._bell):
            end.setblocking(False)
        self._selector.register(self._ended, selectors.EVENT_READ)

    def match(self, addresses: Mapping[str, str]) -> list[str]:
        """Have one station for each address of each database. Returns the names of the new ones."""
        for name in [name for name, station in self.stations.items() if station.url != addresses.get(name)]:
            self._leave(name)
        new = [name for name in addresses if name not in self.stations]
        for name in new:
            self.stations[name] = Station(name, addresses[name], self._relay_of(name))
        return new

    def turn(self) -> None:
        """Send for those that are due, and wait a little for what happens."""
        now = time.monotonic()
        for name in [name for name, visit in self._visits.items() if visit.done()]:
            self._take_back(name)
        idle = [station for name, station in self.stations.items() if name not in self._visits]
        for station in [station for station in idle if station.due <= now]:
            self._send_for(station)
        wait = min([TURN_SECONDS, *(station.due - now for station in idle if station.due > now)])
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._ended.recv(1024)
            else:
                self._note(key.data)

    def end(self) -> None:
        for name in list(self.stations):
            self._leave(name)
        self._pool.shutdown()
        self._selector.close()
        self._ended.close()
        self._bell.close()

    def _send_for(self, station: Station) -> None:
        self._unwatch(station)
        visit = self._visits[station.name] = self._pool.submit(station.visit)
        visit.add_done_callback(lambda _: self._ring())

    def _take_back(self, name: str) -> None:
        """Listen to the connection again whose visit is over, or wait until it is."""
        error = self._visits.pop(name).exception()
        station = self.stations[name]
        if error is not None:
            log.error("relay_failed", database=name, exc_info=error)
            station.due = time.monotonic() + AFTERWARD_SECONDS
        if station.connection is not None:
            station.watched = station.connection.fileno()
            self._selector.register(station.watched, selectors.EVENT_READ, station)

    def _note(self, station: Station) -> None:
        station.note_announcements()
        if station.connection is None:
            self._unwatch(station)

    def _unwatch(self, station: Station) -> None:
        if station.watched is not None:
            self._selector.unregister(station.watched)
            station.watched = None

    def _leave(self, name: str) -> None:
        if name in self._visits:
            self._take_back(name)
        station = self.stations.pop(name)
        self._unwatch(station)
        station.close()

    def _ring(self) -> None:
        try:
            self._bell.send(b"!")
        except OSError:
            return  # it has been rung often enough, or nobody is waiting any more
