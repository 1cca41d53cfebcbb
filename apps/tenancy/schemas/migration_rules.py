"""What a migration may do while the release before it is still running, and people are at work.

A fleet is migrated before its code is replaced, so the old code meets the new schema, and a lock on a large table
stops everybody who uses it. What breaks either is refused here; ``safe_because = "…"`` on the Migration says why one
is safe all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, time
from typing import Any

from django.contrib.postgres import operations as postgres
from django.db import connection, models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from ..fields import TenantSetting

EXPAND_FIRST = "the release before still uses it; stop using it in one release, and take it away in the next"
CONCURRENTLY = "it locks the table against writing while it reads all of it"
NOT_VALID = f"{CONCURRENTLY}; use AddConstraintNotValid, and ValidateConstraint in a further migration"

HARMLESS = (
    operations.CreateModel,
    operations.AlterModelOptions,
    operations.AlterModelManagers,
    operations.AlterModelTableComment,
    operations.RemoveIndex,
    operations.RenameIndex,
    operations.RemoveConstraint,
    postgres.AddConstraintNotValid,
    postgres.ValidateConstraint,
    postgres.AddIndexConcurrently,
    postgres.CreateExtension,
    postgres.RemoveIndexConcurrently,
)
REFUSED: dict[type[Operation], str] = {
    operations.DeleteModel: EXPAND_FIRST,
    operations.RenameModel: EXPAND_FIRST,
    operations.AlterModelTable: EXPAND_FIRST,
    operations.RemoveField: EXPAND_FIRST,
    operations.AddIndex: f"{CONCURRENTLY}; use AddIndexConcurrently, in a migration of its own with atomic = False",
    operations.AddConstraint: NOT_VALID,
    operations.AlterUniqueTogether: NOT_VALID,
    operations.AlterOrderWithRespectTo: "it rewrites the table",
    operations.RunSQL: "nobody can tell what it does; say with safe_because why the release before does not mind",
}


def objections(loader: MigrationLoader, migration: Migration) -> list[str]:
    """Why a migration must not run beside the release before it; nothing if it may, or says why it may."""
    if getattr(migration, "safe_because", "").strip():
        return []
    state = loader.project_state((migration.app_label, migration.name), at_end=False)
    return [*_operation_by_operation(migration, state), *_of_the_whole(migration)]


def _operation_by_operation(migration: Migration, state: ProjectState) -> Iterator[str]:
    new: set[str] = set()
    for operation in migration.operations:
        before = state.clone()
        operation.state_forwards(migration.app_label, state)
        for one in _database_operations(operation):
            if isinstance(one, operations.CreateModel):
                new.add(one.name.lower())
            elif getattr(one, "model_name", getattr(one, "name", "")).lower() not in new:
                objection = _objection(one, migration.app_label, before, state)
                if objection:
                    yield f"{one.describe()}: {objection}"


def _of_the_whole(migration: Migration) -> Iterator[str]:
    flat = [one for operation in migration.operations for one in _database_operations(operation)]
    if any(isinstance(one, operations.RunPython) for one in flat) and len(flat) > 1:
        yield "RunPython beside other operations: their locks are held as long as it runs; give it its own migration"
    added = {one.constraint.name for one in flat if isinstance(one, postgres.AddConstraintNotValid)}
    if any(isinstance(one, postgres.ValidateConstraint) and one.name in added for one in flat):
        yield "ValidateConstraint in the transaction that adds the constraint: it is to be a further migration"


def _database_operations(operation: Operation) -> list[Operation]:
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return [inner for one in operation.database_operations for inner in _database_operations(one)]
    return [operation]


def _objection(operation: Operation, app: str, before: ProjectState, after: ProjectState) -> str:
    if isinstance(operation, (*HARMLESS, operations.RunPython)):
        return ""
    judge = JUDGES.get(type(operation))
    if judge is not None:
        return judge(operation, app, before, after)
    return REFUSED.get(type(operation), "nobody can tell what it does to the release before")


def _of_added_field(operation: Any, app: str, before: ProjectState, after: ProjectState) -> str:
    field = after.apps.get_model(app, operation.model_name)._meta.get_field(operation.name)
    if field.many_to_many:
        return ""
    if not field.null and not field.has_db_default():
        return "the release before does not fill it: give it null=True or a db_default"
    if field.has_db_default() and _differs_by_row(field.db_default):
        return "its default is computed for each row, which rewrites the table: fill it with RunPython"
    if not field.has_db_default() and _is_another_each_time(field):
        return "every row there is, of whatever tenant, would get the same value: fill it with RunPython"
    if field.unique or field.db_index:
        return f"{CONCURRENTLY} to make its index; use db_index=False and AddIndexConcurrently"
    return ""


def _of_altered_field(operation: Any, app: str, before: ProjectState, after: ProjectState) -> str:
    old, new = (
        state.apps.get_model(app, operation.model_name)._meta.get_field(operation.name) for state in (before, after)
    )
    if old.null and not new.null:
        return f"the release before may leave it empty, and {CONCURRENTLY}"
    if (new.unique and not old.unique) or (new.db_index and not old.db_index):
        return f"{CONCURRENTLY} to make its index"
    if old.column != new.column:
        return EXPAND_FIRST
    if old.db_type(connection) != new.db_type(connection) and not _is_wider(old, new):
        return "it rewrites the table, or the release before writes what no longer fits"
    return ""


def _of_renamed_field(operation: Any, app: str, before: ProjectState, after: ProjectState) -> str:
    old = before.apps.get_model(app, operation.model_name)._meta.get_field(operation.old_name)
    new = after.apps.get_model(app, operation.model_name)._meta.get_field(operation.new_name)
    return "" if old.column == new.column else EXPAND_FIRST


def _differs_by_row(default: Any) -> bool:
    return isinstance(default, models.Expression) and not isinstance(default, models.Value | Now | TenantSetting)


def _is_another_each_time(field: Any) -> bool:
    """Whether a default is meant to tell rows apart, such as a token. A migration asks for it once, a fleet too."""
    value = field.get_default()
    return not isinstance(value, date | time) and bool(value != field.get_default())


def _is_wider(old: Any, new: Any) -> bool:
    """Whether a text takes more than before, which PostgreSQL allows without looking at a row."""
    if not isinstance(old, models.CharField) or not isinstance(new, models.CharField | models.TextField):
        return False
    return isinstance(new, models.TextField) or (new.max_length or 0) >= (old.max_length or 0)


JUDGES: dict[type[Operation], Callable[[Any, str, ProjectState, ProjectState], str]] = {
    operations.AddField: _of_added_field,
    operations.AlterField: _of_altered_field,
    operations.RenameField: _of_renamed_field,
}
