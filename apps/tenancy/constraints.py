"""The foreign key between two rows of the same tenant."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.ddl_references import Columns, Statement, Table
from django.db.models.constraints import BaseConstraint


class TenantRelation(models.ForeignObject):
    """The row of the same tenant whose ``remote`` is named by a column that is no foreign key; None if it is gone.

    It is nothing in the database: what it names may go and leave its name behind.
    """

    def __init__(self, to: Any, *, column: str, remote: str, **more: Any) -> None:
        self.named_by, self.remote_name = column, remote
        for option in ("on_delete", "from_fields", "to_fields", "null", "editable", "related_name"):
            more.pop(option, None)
        super().__init__(
            to,
            on_delete=models.DO_NOTHING,
            from_fields=["tenant", column],
            to_fields=["tenant", remote],
            null=True,
            editable=False,
            related_name="+",
            **more,
        )

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kept = {option: value for option, value in kwargs.items() if option == "to"}
        return name, path, args, {**kept, "column": self.named_by, "remote": self.remote_name}


class TenantForeignKey(BaseConstraint):
    """FOREIGN KEY (tenant_id, x_id) REFERENCES target (tenant_id, id), deferred to commit.

    A single-column key would let a row reference another tenant's row: such checks ignore row-level security.
    The model's ForeignKey is declared with ``db_constraint=False``; this adds the database's part.
    """

    def __init__(self, *, field: str, name: str) -> None:
        super().__init__(name=name)
        self.field = field

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TenantForeignKey):
            return NotImplemented
        return self.name == other.name and self.field == other.field

    def __hash__(self) -> int:
        return hash((self.name, self.field))

    def constraint_sql(self, model: Any, schema_editor: Any) -> str:
        """Nothing in CREATE TABLE: the target's unique constraint may be one of the statements that follow it."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return ""

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        field = model._meta.get_field(self.field)
        target = field.remote_field.model._meta
        quote = schema_editor.quote_name
        return Statement(
            schema_editor.sql_create_fk,
            table=Table(model._meta.db_table, quote),
            name=quote(self.name),
            column=Columns(model._meta.db_table, ["tenant_id", field.column], quote),
            to_table=Table(target.db_table, quote),
            to_column=Columns(target.db_table, ["tenant_id", target.pk.column], quote),
            deferrable=schema_editor.connection.ops.deferrable_sql(),
        )

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return Statement(
            "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def validate(self, model: Any, instance: models.Model, exclude: Any = None, using: str = "default") -> None:
        """The field's own validation already looks the row up, and sees only this tenant's rows."""
