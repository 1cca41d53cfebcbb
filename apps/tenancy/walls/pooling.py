"""Whether the way to the database keeps transactions and sessions together, tried out once when a process starts.

A database that is away, or not set up yet, is no reason not to start: readiness tells of that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings
from psycopg import errors, sql
from psycopg.rows import class_row

from .roles import APP_TENANT

DIRECT_URLS = ("DATABASE_DIRECT_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL")

ENTER = """BEGIN; SET LOCAL ROLE {role}; SET LOCAL search_path = pg_catalog; SET LOCAL app.tenant_id = {tenant}"""
STATE = """SELECT pg_backend_pid() AS pid, current_user::text AS role, session_user::text AS login,
    current_setting('search_path') AS path, coalesce(current_setting('app.tenant_id', true), '') AS tenant"""
RIGHTS = """SELECT rolname AS name, rolsuper AS is_superuser, rolbypassrls AS bypasses_rls,
    rolinherit OR EXISTS (SELECT FROM pg_auth_members m
        WHERE m.member = r.oid AND to_jsonb(m) ->> 'inherit_option' = 'true') AS inherits,
    EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relkind IN ('r', 'p', 'v', 'm', 'f')) AS owns_tables
    FROM pg_roles r WHERE rolname = session_user"""


@dataclass(frozen=True)
class State:
    pid: int
    role: str
    login: str
    path: str
    tenant: str


@dataclass(frozen=True)
class Rights:
    name: str
    is_superuser: bool
    bypasses_rls: bool
    inherits: bool
    owns_tables: bool

    def too_wide(self) -> Iterator[str]:
        if self.is_superuser:
            yield "is a superuser"
        if self.bypasses_rls:
            yield "bypasses row-level security"
        if self.inherits:
            yield "inherits the rights of other roles (it must be NOINHERIT)"
        if self.owns_tables:
            yield "owns tables"


def exit_if_unsafe() -> None:
    """End the process, with what is wrong in one line, rather than serve anybody."""
    found = findings()
    if found:
        sys.exit("error: " + " ".join(found))


def findings() -> list[str]:
    """What must not stay so, a sentence each; whatever cannot be reached now is passed over."""
    found = _tried(_login_findings, settings.DATABASE_URL)
    for name in DIRECT_URLS:
        url = getattr(settings, name)
        if url and _tried(_shared_sessions, url):
            found.append(f"{name} leads through a pooler in transaction mode; it must lead to PostgreSQL itself.")
    return found


def _tried(probe: Any, url: str) -> list[str]:
    try:
        return list(probe(url))
    except (psycopg.OperationalError, errors.UndefinedObject):
        return []


def _login_findings(url: str) -> Iterator[str]:
    with _connect(url) as connection:
        rights = connection.cursor(row_factory=class_row(Rights)).execute(RIGHTS).fetchone()
        if rights is not None:
            yield from (f"The login {rights.name} of DATABASE_URL {fault}." for fault in rights.too_wide())
    try:
        with _connect(url) as connection:
            yield from _transaction_findings(connection)
    except errors.InsufficientPrivilege as error:
        yield f"The login of DATABASE_URL may not become {APP_TENANT} ({error}); run manage.py setup_roles."
    except errors.ProtocolViolation:
        with _connect(url) as connection:
            connection.execute("SELECT 1")  # it answers, and only refuses transactions
        yield "DATABASE_URL leads through a pooler that refuses transactions (statement mode); set transaction mode."


def _transaction_findings(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What a transaction sets must hold until it ends, and no longer."""
    tenant = str(uuid4())
    connection.execute(sql.SQL(ENTER).format(role=sql.Identifier(APP_TENANT), tenant=sql.Literal(tenant)))
    first, second = _state(connection), _state(connection)
    connection.execute("COMMIT")
    after = _state(connection)
    expected = State(first.pid, APP_TENANT, first.login, "pg_catalog", tenant)
    if not first == second == expected:
        yield "DATABASE_URL leads through a pooler that does not keep a transaction on one connection."
    if after.role != after.login or after.tenant or after.path == expected.path:
        yield "A transaction through DATABASE_URL finds a role, path or tenant that something before it has set."


def _shared_sessions(url: str) -> Iterator[str]:
    """Two clients at the same time have two sessions, unless a pooler lends one to both."""
    with _connect(url) as one, _connect(url) as other:
        seen = {_state(one).pid, _state(one).pid}
        other.execute("BEGIN")
        seen_by_other = _state(other).pid
        if len(seen) > 1 or seen_by_other in seen:
            yield "shared"


def _state(connection: psycopg.Connection[Any]) -> State:
    [state] = connection.cursor(row_factory=class_row(State)).execute(STATE)
    return state


def _connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True, connect_timeout=settings.DATABASE_CONNECT_TIMEOUT)
