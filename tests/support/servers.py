"""The test servers' databases, seen from outside the application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from psycopg import sql

from apps.tenancy.databases import owner_url, parse_url
from deploy.local.stored import load_secrets

Connection = psycopg.Connection[Any]
_kept: dict[str, Connection] = {}


def connect_url(url: str) -> Connection:
    return psycopg.connect(url, autocommit=True)


@contextmanager
def as_owner(database: str | None = None) -> Iterator[Connection]:
    with connect_url(owner_url(database)) as connection:
        yield connection


def administrator_url(database: str = "postgres") -> str:
    """The superuser's, whose password only the launcher knows."""
    parts = urlsplit(owner_url(database))
    password = load_secrets(settings.DATA_DIR)["postgres"]
    return parts._replace(netloc=f"postgres:{password}@{parts.hostname}:{parts.port}").geturl()


@contextmanager
def as_login() -> Iterator[Connection]:
    with connect_url(settings.DATABASE_URL) as connection:
        yield connection


@contextmanager
def as_operator(database: str | None = None) -> Iterator[Connection]:
    """Reads past all walls; the connection is kept, as nearly every test looks through it."""
    url = settings.DATABASE_OPERATOR_URL
    yield _keep(url.rsplit("/", 1)[0] + f"/{database}" if database else url)


@contextmanager
def as_administrator(database: str | None = None) -> Iterator[Connection]:
    """Writes past all walls; the connection is kept, as every test is cleared away through it."""
    yield _keep(administrator_url(database or parse_url(settings.DATABASE_OWNER_URL)["NAME"]))


def _keep(url: str) -> Connection:
    if url not in _kept or _kept[url].closed:
        _kept[url] = connect_url(url)
    return _kept[url]


def forget_connections() -> None:
    """Close those that were kept: their server processes remember what tests have looked at."""
    while _kept:
        _kept.popitem()[1].close()


def schemas(database: str | None = None) -> set[str]:
    """The schemas of a database that hold tenants' tables."""
    with as_owner(database) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(t|pool)_'").fetchall()
    return {name for (name,) in found}


def drop_forgotten_databases(known: set[str]) -> None:
    """Drop the databases and logins of organizations that earlier tests took away.

    As the superuser: connections of those logins may still be open, which the owner may not end.
    """
    with connect_url(administrator_url()) as connection:
        databases = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'tenant\\_%'").fetchall()
        for (database,) in databases:
            if database not in known:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        logins = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant\\_%\\_login'").fetchall()
        for (login,) in logins:
            if login.removesuffix("_login") not in known:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def recreate_databases() -> None:
    """Drop what an earlier run left and make an empty control database."""
    name = parse_url(settings.DATABASE_URL)["NAME"]
    with as_owner("postgres") as connection:
        stale = "SELECT datname FROM pg_database WHERE datname = %s OR datname LIKE 'tenant\\_%%'"
        for (database,) in connection.execute(stale, [name]).fetchall():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        logins = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenant\\_%\\_login'"
        for (login,) in connection.execute(logins).fetchall():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))
