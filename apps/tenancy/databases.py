"""Database aliases that come and go while the process runs."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import psycopg
from django.conf import settings
from django.db import connections

from .context import CONTROL_ALIAS
from .errors import DatabaseNotConfigured
from .replicas import health
from .replicas.positions import replica_of

OWNER_ALIAS = "owner"
ASKED_EVERY_SECONDS = 0.1
WITHOUT_TELLING = "scram-sha-256,md5"

_lock = threading.Lock()
_versions: dict[str, int] = {}


def parse_url(url: str) -> dict[str, Any]:
    """NAME, USER, PASSWORD, HOST, PORT of a postgres:// URL, and its query (sslmode …) as OPTIONS."""
    parts = urlsplit(url)
    return {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def is_registered(alias: str, version: int) -> bool:
    return _versions.get(alias, 0) >= version


def register(alias: str, url: str, version: int, *, replica_address: str = "") -> None:
    """Make an alias usable in this process, and its replica if it has one; a newer version replaces the credentials.

    They are replaced in place: other threads' connections share the dict and reconnect with them.
    """
    with _lock:
        if _versions.get(alias, 0) >= version:
            return
        _set(alias, url, settings.DATABASE_CONNECT_TIMEOUT)
        if replica_address:
            _set(replica_of(alias), at_address(url, replica_address), settings.REPLICA_CONNECT_TIMEOUT)
        else:
            _remove(replica_of(alias))
        health.of(replica_of(alias)).forget()  # it may be another server now
        _versions[alias] = version


def at_address(url: str, address: str) -> str:
    """The same user and database at another host and port.

    Whoever answers there, be it for a slip of somebody's pen, is shown that the password is known, never told it.
    """
    parts = urlsplit(url)
    query = urlencode({"require_auth": WITHOUT_TELLING, **dict(parse_qsl(parts.query))})
    return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{address}", query=query).geturl()


def statements_sent() -> int:
    """How many statements this thread has had carried out so far, on all the connections that it has."""
    return sum(getattr(connection, "statements", 0) for connection in connections.all(initialized_only=True))


def forget(alias: str) -> None:
    with _lock:
        _remove(alias)
        _remove(replica_of(alias))
        _versions.pop(alias, None)


def owner_url(database: str | None = None) -> str:
    """The owner's URL, of another database on its server if named. Raises DatabaseNotConfigured."""
    url = str(settings.DATABASE_OWNER_URL)
    if not url:
        raise DatabaseNotConfigured("DATABASE_OWNER_URL is not set: this process may not change schemas.")
    return url if database is None else urlsplit(url)._replace(path=f"/{database}").geturl()


def owner_alias(database: str | None = None) -> str:
    """The alias of the owner's connection to the control database or another one; made on first use."""
    alias = OWNER_ALIAS if database is None else f"{OWNER_ALIAS}:{database}"
    if alias not in connections.databases:
        with _lock:
            template = copy.deepcopy(connections.databases[CONTROL_ALIAS])
            template.update(parse_url(owner_url(database)))
            template["OPTIONS"]["as_owner"] = True
            template["CONN_MAX_AGE"] = 0
            template["CONN_HEALTH_CHECKS"] = False
            connections.databases[alias] = template
    return alias


def close_owner(database: str | None) -> None:
    """Close the owner's connection to a tenant's own database: a fleet has many of them, each with one schema."""
    if database is not None:
        connections[owner_alias(database)].close()


@contextmanager
def owner_lock(name: str) -> Iterator[None]:
    """Hold a lock of the control database, on a connection of its own, so that one process at a time does DDL."""
    with psycopg.connect(owner_url(), autocommit=True) as connection, connection.cursor() as cursor:
        await_lock(cursor, name)
        yield


def _set(alias: str, url: str, connect_timeout: int) -> None:
    known = connections.databases.setdefault(alias, copy.deepcopy(connections.databases[CONTROL_ALIAS]))
    known.update(parse_url(url), CONN_MAX_AGE=settings.TENANT_DATABASE_CONN_MAX_AGE)
    known["OPTIONS"]["connect_timeout"] = connect_timeout
    _close_connection(alias)


def _remove(alias: str) -> None:
    _close_connection(alias)
    connections.databases.pop(alias, None)


def await_lock(cursor: Any, name: str) -> None:
    """Ask for a lock of the session until it is had.

    A statement that waits for it would have a snapshot, and whoever makes an index concurrently waits for those: the
    one that holds the lock perhaps, for ever.
    """
    while True:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        if cursor.fetchone()[0]:
            return
        time.sleep(ASKED_EVERY_SECONDS)


def _close_connection(alias: str) -> None:
    if alias in connections.databases and hasattr(connections._connections, alias):  # type: ignore[attr-defined]
        connections[alias].close()
        del connections[alias]
