"""Which operations of migrations are about the tenant plane."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.contrib.postgres.operations import CreateExtension
from django.db.migrations import CreateModel, Migration, RenameModel, RunPython, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from psycopg import sql

from ..planes import TENANT

EXTENSION = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public")


def only_tenant_plane(migrations: Iterable[Migration]) -> tuple[Migration, ...]:
    """The same migrations, in order, without what they do to the models of the control plane."""
    models: set[tuple[str, str]] = set()
    return tuple(_filtered(migration, models) for migration in migrations)


def apps_with_tenant_models(migrations: Iterable[Migration]) -> frozenset[str]:
    """The apps that have made a model of the tenant plane, even if it has moved to another app since."""
    return frozenset(m.app_label for m in migrations if any(map(_makes_tenant_model, _flat(m.operations))))


def with_operations(migration: Migration, change: Callable[[Operation], Operation | None]) -> Migration:
    """The same migration with its operations changed, or dropped where the change is None; inner ones, too."""

    def deeply(operations: Iterable[Operation]) -> list[Operation]:
        changed = (_nested(one) if isinstance(one, SeparateDatabaseAndState) else change(one) for one in operations)
        return [one for one in changed if one is not None]

    def _nested(operation: SeparateDatabaseAndState) -> Operation:
        return SeparateDatabaseAndState(deeply(operation.database_operations), deeply(operation.state_operations))

    other = copy.copy(migration)
    other.operations = deeply(migration.operations)  # type: ignore[misc]
    return other


class ExtensionOfDatabase(CreateExtension):
    """An extension belongs to the database; the first schema of one that asks for it has it made for all."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.hints = {"plane": TENANT}

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        schema_editor.execute(EXTENSION.format(sql.Identifier(self.name)).as_string(None), None)
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def _filtered(migration: Migration, models: set[tuple[str, str]]) -> Migration:
    return with_operations(migration, lambda one: _in_tenant_plane(one, migration.app_label, models))


def _in_tenant_plane(operation: Operation, app: str, models: set[tuple[str, str]]) -> Operation | None:
    if isinstance(operation, CreateExtension):
        return ExtensionOfDatabase(operation.name)
    return operation if _is_about_tenants(operation, app, models) else None


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for one in operations:
        if isinstance(one, SeparateDatabaseAndState):
            yield from _flat([*one.database_operations, *one.state_operations])
        else:
            yield one


def _makes_tenant_model(operation: Operation) -> bool:
    if not isinstance(operation, CreateModel):
        return False
    return any(getattr(field, "plane", None) == TENANT for _, field in operation.fields)


def _is_about_tenants(operation: Any, app: str, models: set[tuple[str, str]]) -> bool:
    """Whether an operation concerns one of the tenant plane's models, which are noted as they are made."""
    if isinstance(operation, CreateModel):
        if _makes_tenant_model(operation):
            models.add((app, operation.name_lower))
        return (app, operation.name_lower) in models
    if isinstance(operation, RunPython | RunSQL):
        return bool(operation.hints.get("plane") == TENANT)
    if isinstance(operation, RenameModel) and (app, operation.old_name_lower) in models:
        models.add((app, operation.new_name_lower))
        return True
    name = getattr(operation, "model_name", None) or getattr(operation, "name", None)
    return name is None or (app, name.lower()) in models
