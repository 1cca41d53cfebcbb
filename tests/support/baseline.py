"""The platform as it was created, to come back to after each test: by one message to each database.

Nothing here names what a test may have made: every table of both planes is put back, but for what outlives a test.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from typing import Any

from psycopg import sql

from apps.tenancy.planes import control_models, tenant_models
from tests.support import servers
from tests.support.factories import Organization

# The rows of the control plane that stay, by model, as a condition.
OUTLIVING = {
    "tenants.Pool": "true",  # a place that was built is there for the next
    "tenants.Placement": "tenant_id IS NULL",
    "accounts.SigningKey": "true",  # this process goes on signing with them
    "contenttypes.ContentType": "true",
    "auth.Permission": "true",
}
REMOVE = "DELETE FROM {table} AS t WHERE NOT ({stays}) AND to_jsonb(t) <> ALL ({created}::jsonb[])"
PUT_BACK = (
    "INSERT INTO {table} SELECT f.* FROM unnest({created}::jsonb[]) AS r, jsonb_populate_record(NULL::{table}, r) AS f "
    "ON CONFLICT ({key}) DO NOTHING"
)


class Baseline:
    """What the databases hold now, which ``restore`` brings back: the organizations, empty, and nobody else."""

    def __init__(self, organizations: list[Organization]) -> None:
        self._organizations = organizations
        self._control = _control_message()
        self._tenants = _tenant_messages(organizations)

    def restore(self) -> None:
        for database, message in self._tenants.items():
            with servers.as_operator(database) as connection:
                connection.execute(message)
        with servers.as_control() as connection:
            connection.execute(self._control)
        for organization in self._organizations:
            shutil.rmtree(organization.folder, ignore_errors=True)


def _tenant_messages(organizations: list[Organization]) -> dict[str | None, str]:
    """By database: empties the organizations' schemas and the outbox. All constraints wait for the end of a message."""
    schemas = defaultdict(set)
    for organization in organizations:
        schemas[organization.database].add(organization.place.schema)
    return {
        database: _joined(
            sql.SQL("DELETE FROM platform.outbox"),
            *(
                sql.SQL("DELETE FROM {}").format(sql.Identifier(schema, model._meta.db_table))
                for schema in found
                for model in tenant_models()
            ),
        )
        for database, found in schemas.items()
    }


def _control_message() -> str:
    """Takes out of each table what was added or changed since, and puts back what was changed or taken out."""
    statements = [sql.SQL("SET LOCAL ROLE app_control")]
    for model in control_models():
        if not is_append_only(model):
            statements += _restoring(model)
    return _joined(*statements)


def _restoring(model: Any) -> list[sql.Composable]:
    stays, table = sql.SQL(OUTLIVING.get(model._meta.label, "false")), sql.Identifier(model._meta.db_table)
    with servers.as_control() as connection, connection.transaction():
        connection.execute("SET LOCAL ROLE app_control")
        found = connection.execute(sql.SQL("SELECT to_jsonb(t) FROM {} AS t WHERE NOT ({})").format(table, stays))
        created = [json.dumps(row) for (row,) in found]
    parts = {"table": table, "stays": stays, "created": sql.Literal(created)}
    remove = sql.SQL(REMOVE).format(**parts)
    return (
        [remove, sql.SQL(PUT_BACK).format(**parts, key=sql.Identifier(model._meta.pk.column))] if created else [remove]
    )


def is_append_only(model: Any) -> bool:
    """Whether not even the control plane may take its rows away: an audit log."""
    owner = next((field for field in model._meta.local_fields if field.column == "tenant_id"), None)
    return "DELETE" not in getattr(owner, "control_privileges", "DELETE")


def _joined(*statements: sql.Composable) -> str:
    with servers.as_control() as connection:
        return sql.SQL(";").join(statements).as_string(connection)
