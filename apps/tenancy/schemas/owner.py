"""The owner's connection, pointed at one schema for the length of a transaction or a block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connections, transaction
from psycopg import sql
from psycopg.errors import LockNotAvailable

from ..databases import await_lock
from ..planes import TENANT

LOCK_TIMEOUT = "2s"  # whoever waits longer than that for a table makes everybody else wait behind it
ATTEMPTS, PAUSE_SECONDS = 5, 0.5
PUBLIC = "public"  # where a database has its extensions, whose types and operators a table may use


@contextmanager
def pointed_at(owner_alias: str, schema: str) -> Iterator[Any]:
    """The owner's connection with its DDL going to a tenant's schema. It stays open, and points nowhere afterward."""
    connection: Any = connections[owner_alias]
    connection.enter_schema(TENANT, schema, PUBLIC)
    try:
        yield connection
    finally:
        connection.migration_plane = None


def settings_in(schema: str) -> sql.Composed:
    """What a transaction that changes one schema begins with: it gives up rather than wait long for a lock."""
    settings = sql.SQL("SET LOCAL lock_timeout = {}; SET LOCAL search_path TO {}, {}")
    return settings.format(sql.Literal(LOCK_TIMEOUT), sql.Identifier(schema), sql.Identifier(PUBLIC))


@contextmanager
def transaction_in(owner_alias: str, schema: str) -> Iterator[Any]:
    """A transaction that changes one schema."""
    connection: Any = connections[owner_alias]
    try:
        with transaction.atomic(using=owner_alias):
            with connection.cursor() as cursor:
                cursor.execute(settings_in(schema))
            connection.migration_plane = TENANT
            yield connection
    finally:
        connection.migration_plane = None


@contextmanager
def reserved(owner_alias: str, schema: str) -> Iterator[None]:
    """Keep others that migrate it off a schema.

    The connection that does the work has the lock: what a killed process left to the server to finish is waited for.
    """
    connection: Any = connections[owner_alias]
    with connection.cursor() as cursor:
        await_lock(cursor, lock_name(schema))
        try:
            yield
        finally:
            if connection.is_usable():
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [lock_name(schema)])


def patiently(work: Callable[[], None]) -> None:
    """Do what gives up rather than wait long for a lock, and again after a while, some times."""
    for attempt in range(1, ATTEMPTS):
        try:
            return work()
        except (OperationalError, LockNotAvailable) as error:
            if not isinstance(error.__cause__ or error, LockNotAvailable):
                raise
        time.sleep(PAUSE_SECONDS * attempt)
    return work()


def lock_name(schema: str) -> str:
    """What whoever migrates a schema holds."""
    return f"migrate {schema}"
