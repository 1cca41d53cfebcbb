"""Brings one tenant schema to a release: by the recorded statements of another one like it, or step by step.

Replaying text costs a fraction of running migrations, whose time goes into rendering model states, and stays the same
however many schemas there are. What depends on the rows that are there, or cannot run in a transaction, is not
replayed: each schema takes those steps itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import connections
from django.db.migrations import AddIndex, Migration, RemoveIndex, RunPython, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from ..context import TenantContext, use
from ..errors import SchemaChangedMeanwhile, SchemaDiverged
from . import ledger
from .migration_planes import ExtensionOfDatabase, with_operations
from .owner import reserved, transaction_in
from .release import MigrationKey, Release, Way, key_of
from .unlocked_steps import take_unlocked_steps

DJANGO = "django."


@dataclass(frozen=True)
class SchemaState:
    """A schema as it was found: what the ledger says of it, and the migrations it has."""

    schema: str
    fingerprint: str
    applied: frozenset[MigrationKey]


@dataclass(frozen=True)
class SchemaScript:
    """The statements that bring a schema to a release."""

    statements: list[str]
    fingerprint: str

    @property
    def text(self) -> str:
        return as_script(self.statements)


def as_script(statements: Iterable[str]) -> str:
    return "\n;\n".join(statements)  # one may end with a comment


def can_be_replayed(missing: Iterable[Migration]) -> bool:
    """Whether the same statements do for every schema that lacks these migrations."""
    return all(migration.atomic and all(map(_is_only_ddl, migration.operations)) for migration in missing)


def record(owner_alias: str, found: SchemaState, release: Release, *, keep: bool = True) -> SchemaScript:
    """Migrate a schema in one transaction, and return what was done; without ``keep`` it is taken back again."""
    refuse_diverged(found, release)
    with transaction_in(owner_alias, found.schema) as connection:
        if keep:
            _advance(connection, found, release)
        with recording(connection) as statements:
            apply(connection, release.way(release.missing(found.applied)))
        if not keep:
            connection.set_rollback(True)
    return SchemaScript(statements, release.fingerprint)


def replay(owner_alias: str, found: SchemaState, script: SchemaScript) -> None:
    """Do to a schema what was recorded for one that lacked the same migrations."""
    with connections[owner_alias].cursor() as cursor:
        ledger.advance_by(cursor, found.schema, script.fingerprint, seen=found.fingerprint, script=script.text)


def step_through(owner_alias: str, found: SchemaState, release: Release, tenants: Sequence[TenantContext] = ()) -> None:
    """Migrate a schema one migration at a time, each in a transaction of its own where it allows that.

    What runs Python does so once for each of the schema's tenants, in its context. Killed anywhere, the schema is
    brought on by the next call.
    """
    refuse_diverged(found, release)
    with reserved(owner_alias, found.schema):
        if ledger.applied_migrations(owner_alias, [found.schema]).get(found.schema) != found.applied:
            raise SchemaChangedMeanwhile(f"Another process is migrating {found.schema}.")
        way = release.way(release.missing(found.applied))
        state = way.state
        for migration, lacking in way.steps:
            if lacking:
                state = _step(owner_alias, found.schema, with_operations(migration, _for(tenants)), state)
            else:
                state = migration.mutate_state(state, preserve=False)
        with transaction_in(owner_alias, found.schema) as connection:
            _advance(connection, found, release)


def apply(connection: Any, way: Way) -> None:
    """Run migrations in the transaction that is open, and note each; for a schema that nobody uses yet."""
    state = way.state
    for migration, lacking in way.steps:
        if lacking:
            state = _run(connection, with_operations(migration, _locking), state)
        else:
            state = migration.mutate_state(state, preserve=False)


@contextmanager
def recording(connection: Any) -> Iterator[list[str]]:
    """Collect what the schema editor does inside."""
    connection.recorded_ddl = []
    try:
        yield connection.recorded_ddl
    finally:
        connection.recorded_ddl = None


def _step(owner_alias: str, schema: str, migration: Migration, state: ProjectState) -> ProjectState:
    if not migration.atomic:
        return take_unlocked_steps(owner_alias, schema, migration, state)
    with transaction_in(owner_alias, schema) as connection:
        return _run(connection, migration, state)


def _run(connection: Any, migration: Migration, state: ProjectState) -> ProjectState:
    with connection.schema_editor(atomic=False) as editor:
        state = migration.apply(state, editor)
        editor.execute(ledger.NOTE, list(key_of(migration)))
    return state


def _advance(connection: Any, found: SchemaState, release: Release) -> None:
    with connection.cursor() as cursor:
        ledger.advance(cursor, found.schema, release.fingerprint, seen=found.fingerprint)


def refuse_diverged(found: SchemaState, release: Release) -> None:
    unknown = release.unknown(found.applied)
    if unknown and release.missing(found.applied):
        names = ", ".join(sorted(f"{app}.{name}" for app, name in unknown))
        raise SchemaDiverged(f"It has migrations of another release ({names}) and lacks some of this one.")


class RunPythonForTenants(RunPython):
    """RunPython in the context of one tenant after the other; in a schema without any there are no rows to change."""

    def __init__(self, operation: RunPython, tenants: Sequence[TenantContext]) -> None:
        super().__init__(operation.code, operation.reverse_code, operation.atomic, operation.hints, operation.elidable)
        self.tenants = tenants

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        for tenant in self.tenants:
            with use(tenant), schema_editor.connection.cursor() as cursor:
                cursor.execute("SELECT set_config('app.tenant_id', %s, false)", [str(tenant.tenant_id)])
                super().database_forwards(app_label, schema_editor, from_state, to_state)
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("RESET app.tenant_id")


def _for(tenants: Sequence[TenantContext]) -> Callable[[Operation], Operation]:
    return lambda operation: RunPythonForTenants(operation, tenants) if isinstance(operation, RunPython) else operation


def _locking(operation: Operation) -> Operation:
    """What does the same inside a transaction; Python finds no rows to change in a new schema."""
    if isinstance(operation, AddIndexConcurrently):
        return AddIndex(operation.model_name, operation.index)
    if isinstance(operation, RemoveIndexConcurrently):
        return RemoveIndex(operation.model_name, operation.name)
    return _for(())(operation)


def _is_only_ddl(operation: Operation) -> bool:
    """Whether an operation is one of Django's that only talk to the schema editor; of others nobody knows."""
    if isinstance(operation, SeparateDatabaseAndState):
        return all(map(_is_only_ddl, operation.database_operations))
    known = isinstance(operation, ExtensionOfDatabase) or type(operation).__module__.startswith(DJANGO)
    return known and not isinstance(operation, RunPython)
