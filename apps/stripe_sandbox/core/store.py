"""Objects as JSON documents in one SQLite file (WAL): survives a restart and a kill. One writer at a time, on
purpose."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.session import Session

SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, object TEXT NOT NULL,
    created INTEGER NOT NULL,
    customer TEXT, parent TEXT, lookup TEXT, clock TEXT, due INTEGER, gone INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_listed ON documents (object, created, seq);
CREATE INDEX IF NOT EXISTS documents_customer ON documents (customer, object) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_parent ON documents (parent, object) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_lookup ON documents (lookup, object) WHERE lookup IS NOT NULL;
CREATE INDEX IF NOT EXISTS documents_due ON documents (clock, due, seq) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS meter_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, identifier TEXT NOT NULL, meter TEXT NOT NULL, customer TEXT NOT NULL,
    timestamp INTEGER NOT NULL, created INTEGER NOT NULL, value TEXT NOT NULL, canceled INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS meter_events_summed ON meter_events (meter, customer, timestamp);
CREATE INDEX IF NOT EXISTS meter_events_identified ON meter_events (meter, identifier);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, endpoint TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, due INTEGER,
    delivered INTEGER NOT NULL DEFAULT 0, log TEXT NOT NULL DEFAULT '[]');
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due, seq) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
    created INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parts (id TEXT PRIMARY KEY, owner TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
FORGET = """
DELETE FROM documents; DELETE FROM meter_events; DELETE FROM deliveries; DELETE FROM answers; DELETE FROM parts;
DELETE FROM settings;
"""


class Store:
    """The database file and its only connection."""

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA cache_size=-65536")
        self._connection.execute("PRAGMA wal_autocheckpoint=8000")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All writes of the block, or none; of a refused card all remains."""
        with self.lock:
            self._connection.execute("BEGIN IMMEDIATE")
            session = Session(self._connection)
            try:
                yield session
            except ApiError as error:
                self._end(session, keep=error.keep)
                raise
            except BaseException:
                self._end(session, keep=False)
                raise
            self._end(session, keep=True)

    def _end(self, session: Session, *, keep: bool) -> None:
        try:
            if keep:
                session.flush()
            self._connection.execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._connection.executescript(f"BEGIN IMMEDIATE; {FORGET} COMMIT")

    def save_copy(self, path: Path) -> None:
        """A consistent copy of everything."""
        with self.lock:
            path.unlink(missing_ok=True)
            copy = sqlite3.connect(path)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def load_copy(self, path: Path) -> None:
        """Everything as it was when the copy was made."""
        with self.lock:
            copy = sqlite3.connect(path)
            try:
                copy.backup(self._connection)
            finally:
                copy.close()

    def close(self) -> None:
        with self.lock:
            self._connection.close()


def encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def wall_clock() -> int:
    return int(time.time())
