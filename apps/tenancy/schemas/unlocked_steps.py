"""Non-atomic migrations: one operation at a time, each noted, so that a killed run goes on where it was.

What cannot run in a transaction (CREATE INDEX CONCURRENTLY and its like) may have happened without having been
noted. Such an operation is looked up before it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.contrib.postgres.operations import (
    AddIndexConcurrently,
    NotInTransactionMixin,
    RemoveIndexConcurrently,
)
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from psycopg import sql

from . import ledger
from .owner import pointed_at, transaction_in
from .release import key_of


class UnlockedStep(NamedTuple):
    """What an operation does to the database: from one state of the models to the next."""

    operation: Operation
    before: ProjectState
    after: ProjectState


def take_unlocked_steps(owner_alias: str, schema: str, migration: Migration, state: ProjectState) -> ProjectState:
    """Run a non-atomic migration on a schema, and note it."""
    done = _operations_done(owner_alias, schema, migration)
    for number, step in enumerate(_steps(migration.operations, migration.app_label, state), start=1):
        if number > done:
            _take(owner_alias, schema, migration, step, number)
    with transaction_in(owner_alias, schema) as connection, connection.cursor() as cursor:
        cursor.execute(ledger.NOTE, list(key_of(migration)))
        ledger.note_operation(cursor, schema, "", 0)
    return state


def _steps(operations: Sequence[Operation], app: str, state: ProjectState) -> Iterator[UnlockedStep]:
    """The operations one by one, those inside of others included; the state is brought along."""
    for operation in operations:
        before = state.clone()
        operation.state_forwards(app, state)
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _steps(operation.database_operations, app, before)
        else:
            yield UnlockedStep(operation, before, state)


def _take(owner_alias: str, schema: str, migration: Migration, step: UnlockedStep, number: int) -> None:
    if _needs_no_transaction(step.operation):
        with pointed_at(owner_alias, schema) as connection:
            if not _is_done(connection, schema, step.operation):
                _carry_out(connection, migration, step)
            _note(connection, schema, migration, number)
    else:
        with transaction_in(owner_alias, schema) as connection:
            _carry_out(connection, migration, step)
            _note(connection, schema, migration, number)


def _carry_out(connection: Any, migration: Migration, step: UnlockedStep) -> None:
    with connection.schema_editor(atomic=False) as editor:
        step.operation.database_forwards(migration.app_label, editor, step.before, step.after)


def _note(connection: Any, schema: str, migration: Migration, number: int) -> None:
    with connection.cursor() as cursor:
        ledger.note_operation(cursor, schema, _label(migration), number)


def _needs_no_transaction(operation: Operation) -> bool:
    """RunSQL in a non-atomic migration is there because it cannot run in a transaction: it must bear repeating."""
    if isinstance(operation, RunPython):
        return operation.atomic is False
    return isinstance(operation, NotInTransactionMixin | RunSQL)


def _is_done(connection: Any, schema: str, operation: Operation) -> bool:
    """Whether an operation on an index happened; the rest of an index whose making was cut short is removed."""
    if isinstance(operation, RemoveIndexConcurrently):
        return _index_validity(connection, schema, operation.name) is None
    if not isinstance(operation, AddIndexConcurrently):
        return False
    valid = _index_validity(connection, schema, operation.index.name)
    if valid is False:
        name = sql.Identifier(schema, operation.index.name)
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(name))
    return bool(valid)


def _index_validity(connection: Any, schema: str, name: str) -> bool | None:
    """Whether an index can be used; None if there is none of that name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s",
            [schema, name],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _operations_done(owner_alias: str, schema: str, migration: Migration) -> int:
    with transaction_in(owner_alias, schema) as connection, connection.cursor() as cursor:
        return ledger.operations_done(cursor, schema, _label(migration))


def _label(migration: Migration) -> str:
    return f"{migration.app_label}.{migration.name}"
