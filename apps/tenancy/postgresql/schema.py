"""Makes tables with their walls already up, and can record what it did for replay elsewhere."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.schema import DatabaseSchemaEditor as PostgresSchemaEditor

from ..planes import tenant_column
from ..walls import rls


class DatabaseSchemaEditor(PostgresSchemaEditor):
    connection: Any

    def create_model(self, model: Any) -> None:
        super().create_model(model)
        self._raise_walls(model)

    def add_field(self, model: Any, field: Any) -> None:
        super().add_field(model, field)
        if field.column == "tenant_id" and tenant_column(field.model) is not None:
            self._raise_walls(field.model)  # the given model is the one before the change

    def execute(self, sql: Any, params: Any = ()) -> None:
        super().execute(sql, params)
        if self.connection.recorded_ddl is not None:
            text = str(sql) if params is None else self.connection.ops.compose_sql(str(sql), params)
            self.connection.recorded_ddl.append(text.rstrip(";"))

    def _raise_walls(self, model: Any) -> None:
        for statement in rls.statements_for(model):
            self.execute(statement.as_string(None), None)
