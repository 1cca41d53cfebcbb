"""SQL in one organization's context that names another's rows. Every transaction is rolled back, breach or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connections, transaction  # noqa: TID251  on any alias, and always rolled back
from psycopg import sql

from apps.tenancy import databases
from apps.tenancy.constraints import TenantForeignKey
from apps.tenancy.context import CONTROL_ALIAS, Context, ControlContext, TenantContext, use
from apps.tenancy.errors import ContextError
from apps.tenancy.planes import (
    READ_BY_TENANTS,
    TENANT,
    control_models,
    plane_of,
    table_name,
    tenant_column,
    tenant_models,
    walled_control_models,
)
from apps.tenancy.walls.roles import ASSUMED_ROLES

from ..checks import Wall, Watch
from ..targets import REASON, Pair, Target, stored
from .register import attack

Query = sql.SQL | sql.Composed
UPDATE = sql.SQL("UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = %s")
DELETE = sql.SQL("DELETE FROM {} WHERE tenant_id = %s")


class _Undo(Exception):
    """Rolls the surrounding transaction back."""


def walled_models() -> list[Any]:
    return [*tenant_models(), *walled_control_models()]


@attack(
    "select",
    Wall.ROWS,
    "A query without a filter finds one tenant's rows",
    tries="In the attacker's context: counts, in every table, the rows of anybody else, and the victim's, by the "
    "table's own name and by the victim's schema; copies the victim's rows out.",
    why="The filter that somebody forgets is the leak that everybody reads about.",
)
def select(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    for model in walled_models():
        for table in _tables(model, victim):
            others = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id <> %s").format(table)
            found = _count(attacker.context, model, others, [attacker.tenant.id])
            watch.expect(found == 0, f"{found} rows of others can be read in {_text(table)}")
            theirs = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id = %s").format(table)
            found = _count(attacker.context, model, theirs, [victim.tenant.id])
            watch.expect(found == 0, f"{found} rows of the victim can be read in {_text(table)}")
        watch.expect(
            victim.marker not in _copied_out(attacker.context, model, victim),
            f"COPY of {table_name(model)} has the victim's marker",
        )


@attack(
    "change",
    Wall.ROWS,
    "No statement changes or removes another tenant's row",
    tries="In the attacker's context: UPDATE and DELETE on every table, of the victim's rows; then gives an own row to "
    "the victim.",
    why="What cannot be read can still be destroyed, or planted, if only reading is guarded.",
)
def change(pair: Pair, watch: Watch) -> None:
    attacker, victim = pair.attacker, pair.victim
    for model in walled_models():
        for table in _tables(model, victim):
            for verb in (
                "UPDATE {} SET tenant_id = tenant_id WHERE tenant_id = %s",
                "DELETE FROM {} WHERE tenant_id = %s",
            ):
                touched = _count(attacker.context, model, sql.SQL(verb).format(table), [victim.tenant.id])
                watch.expect(touched == 0, f"{verb.split()[0]} reached {touched} rows in {_text(table)}")
        table = sql.Identifier(table_name(model))
        give = sql.SQL("UPDATE {} SET tenant_id = %s WHERE tenant_id = %s").format(table)
        given = _count(attacker.context, model, give, [victim.tenant.id, attacker.tenant.id])
        watch.expect(given == 0, f"{given} own rows of {table_name(model)} could be given to the victim")


@attack(
    "insert",
    Wall.ROWS,
    "No row can be made in another tenant's name",
    tries="In the attacker's context: inserts a copy of the victim's row, tenant_id and all, into every table.",
    why="A forged row is read by its alleged owner as its own.",
)
def insert(pair: Pair, watch: Watch) -> None:
    for model in walled_models():
        if model._meta.label not in pair.victim.rows:
            continue
        key = model._meta.pk
        number = key.get_internal_type().endswith("AutoField")
        row = {**stored(pair.victim, model), key.column: 2**40 if number else uuid4().hex}
        table = sql.Identifier(table_name(model))
        query = sql.SQL("INSERT INTO {0} SELECT * FROM json_populate_record(null::{0}, %s)").format(table)
        refused = _refused(pair.attacker.context, model, query, [json.dumps(row, default=str)])
        watch.expect(refused, f"a row of the victim could be forged in {table_name(model)}")


@attack(
    "references",
    Wall.KEYS,
    "No row can point at another tenant's",
    tries="In the attacker's context: points every foreign key of a tenant table at the victim's row, and checks the "
    "constraints.",
    why="A reference across tenants breaks one when the other deletes, and proves that an id exists.",
)
def references(pair: Pair, watch: Watch) -> None:
    for model in tenant_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, TenantForeignKey):
                field: Any = model._meta.get_field(constraint.field)
                foreign = pair.victim.rows[field.related_model._meta.label]
                names = [sql.Identifier(name) for name in (table_name(model), field.column)]
                query = sql.SQL("UPDATE {} SET {} = %s; SET CONSTRAINTS ALL IMMEDIATE").format(*names)
                refused = _refused(pair.attacker.context, model, query, [foreign], IntegrityError)
                watch.expect(refused, f"{table_name(model)}.{field.column} can point at the victim's row")


@attack(
    "no-context",
    Wall.CONTEXT,
    "Without a context nothing can be read or written",
    tries="Outside every context: SELECT, INSERT, UPDATE and DELETE on every table of the victim and of the control "
    "plane; from the control plane the same on the tenant's tables; from a tenant on the tables that are nobody's.",
    why="Code that forgets to say for whom it works must fail, not work for everybody.",
)
def no_context(pair: Pair, watch: Watch) -> None:
    victim, attacker = pair.victim.context, pair.attacker.context
    alias, schema = victim.alias, victim.schema
    for model in tenant_models():
        table = sql.Identifier(schema, table_name(model))
        _denied(watch, None, alias, table, model, "without a context")
        _denied(watch, ControlContext(REASON), alias, table, model, "from the control plane")
    for model in control_models():
        table = sql.Identifier("public", table_name(model))
        _denied(watch, None, CONTROL_ALIAS, table, model, "without a context")
        if tenant_column(model) is None and model._meta.label not in READ_BY_TENANTS:
            _denied(watch, attacker, CONTROL_ALIAS, table, model, "by a tenant")


@attack(
    "credentials",
    Wall.ROLES,
    "A login cannot become more than it is",
    tries="In the attacker's context: SET ROLE to the owner, the operator and other logins; with a database of "
    "its own also connects to the victim's database and to the control database.",
    why="Credentials leak; those of one part must not open another.",
)
def credentials(pair: Pair, watch: Watch) -> None:
    alias = pair.attacker.context.alias
    login = databases.parse_url(settings.DATABASE_URL)["USER"]
    own = connections.databases[alias]["USER"]
    theirs = connections.databases[pair.victim.context.alias]["USER"]
    owner = databases.parse_url(databases.owner_url())["USER"]
    for role in {owner, settings.DATABASE_OPERATOR_ROLE, login, theirs} - {own, *ASSUMED_ROLES}:
        query = sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))
        watch.expect(_refused_at(pair.attacker.context, alias, query, []), f"the login of {alias} can become {role}")
    if alias == CONTROL_ALIAS:
        return
    for database in (connections.databases[name]["NAME"] for name in (CONTROL_ALIAS, pair.victim.context.alias)):
        watch.expect(not _opens(alias, database), f"the login of {alias} opens the database {database}")


@attack(
    "arbitrary-sql",
    Wall.CONTEXT,
    "What arbitrary SQL could do",
    tries="In the attacker's context: sets app.tenant_id to the victim within the transaction and reads the victim's "
    "tables, as an SQL injection could.",
    why="The setting is the application's to make. In a pool or schema, statements that an attacker composes are "
    "stopped by parameterized SQL and review, not by the database; a database of its own stops them.",
)
def arbitrary_sql(pair: Pair, watch: Watch) -> None:
    reached = 0
    for model in tenant_models():
        table = sql.Identifier(pair.victim.context.schema, table_name(model))
        query = sql.SQL("SELECT set_config('app.tenant_id', %s, true); SELECT count(*) FROM {}").format(table)
        watch.attempts += 1
        reached += _count(pair.attacker.context, model, query, [str(pair.victim.tenant.id)]) > 0
    if not reached:
        watch.remarks.append("nothing of the victim could be reached")
    elif pair.kind == "database":
        watch.breaches.append(f"{reached} tables of another database could be reached")
    else:
        watch.limits.append(
            f"{reached} tables could be reached by composing SQL, as documented (decision 0003); no route composes any"
        )


def _tables(model: Any, victim: Target) -> Iterator[sql.Identifier]:
    """The table as the search path finds it, and as it stands in the victim's own schema."""
    yield sql.Identifier(table_name(model))
    if plane_of(model) == TENANT and victim.context.alias == CONTROL_ALIAS:
        yield sql.Identifier(victim.context.schema, table_name(model))


def _alias(context: TenantContext, model: Any) -> str:
    return context.alias if plane_of(model) == TENANT else CONTROL_ALIAS


def _count(context: TenantContext, model: Any, query: Query, values: list[Any]) -> int:
    """How many rows a statement counted or touched; 0 if it was refused."""
    try:
        with _undone(context, _alias(context, model)) as cursor:
            cursor.execute(query, values)
            while cursor.nextset():
                pass
            return int(cursor.fetchone()[0]) if cursor.description else max(cursor.rowcount, 0)
    except DatabaseError:
        return 0


def _copied_out(context: TenantContext, model: Any, victim: Target) -> str:
    table, tenant = sql.Identifier(table_name(model)), sql.Literal(str(victim.tenant.id))
    query = sql.SQL("COPY (SELECT * FROM {} WHERE tenant_id = {}) TO STDOUT").format(table, tenant)
    try:
        with _undone(context, _alias(context, model)) as cursor, cursor.copy(query) as copied:
            return b"".join(bytes(part) for part in copied).decode(errors="replace")
    except (DatabaseError, psycopg.Error):
        return ""


def _refused(
    context: TenantContext, model: Any, query: Query, values: list[Any], error: type[Exception] = DatabaseError
) -> bool:
    return _refused_at(context, _alias(context, model), query, values, error)


def _refused_at(
    context: Context, alias: str, query: Query, values: list[Any], error: type[Exception] = DatabaseError
) -> bool:
    try:
        with _undone(context, alias) as cursor:
            cursor.execute(query, values)
    except (error, ContextError):
        return True
    return False


def _denied(watch: Watch, context: Context, alias: str, table: sql.Identifier, model: Any, whence: str) -> None:
    key = sql.Identifier(model._meta.pk.column)
    statements = {
        "SELECT": sql.SQL("EXPLAIN SELECT 1 FROM {}").format(table),
        "INSERT": sql.SQL("EXPLAIN INSERT INTO {} DEFAULT VALUES").format(table),
        "UPDATE": sql.SQL("EXPLAIN UPDATE {0} SET {1} = {1}").format(table, key),
        "DELETE": sql.SQL("EXPLAIN DELETE FROM {}").format(table),
    }
    for verb, query in statements.items():
        with use(context):
            watch.expect(_refused_here(alias, query), f"{verb} on {_text(table)} is possible {whence}")


def _refused_here(alias: str, query: Query) -> bool:
    """Whether a statement is refused in the current context; EXPLAIN asks for the rights, and does nothing."""
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute(query)
    except (DatabaseError, ContextError):
        return True
    return False


@contextmanager
def _undone(context: Context, alias: str) -> Iterator[Any]:
    """A cursor in a context, in a transaction that is rolled back. Raises what the statements raise."""
    try:
        with use(context), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            yield cursor
            raise _Undo
    except _Undo:
        return


def _opens(alias: str, database: str) -> bool:
    known = connections.databases[alias]
    try:
        with psycopg.connect(
            host=known["HOST"],
            port=known["PORT"],
            user=known["USER"],
            password=known["PASSWORD"],
            dbname=database,
            connect_timeout=settings.DATABASE_CONNECT_TIMEOUT,
        ):
            return True
    except psycopg.OperationalError:
        return False


def _text(table: sql.Identifier) -> str:
    return ".".join(table._obj)
