"""The platform as it was created, to come back to after each test: by one message to each database.

Nothing here names what a test may have made: every table of both planes is put back, but for what outlives a test.
The logs begin empty.
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
    "tenants.Pool": "capacity > 0",  # a place that was built is there for the next
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
        self._messages = _messages(organizations)  # as bytes: composing them for each test took half of its time

    def restore(self) -> None:
        for database, message in self._messages.items():
            with servers.as_administrator(database) as connection:
                connection.execute(message)
        for organization in self._organizations:
            shutil.rmtree(organization.folder, ignore_errors=True)


def _messages(organizations: list[Organization]) -> dict[str | None, bytes]:
    """By database, the control plane's being None. A message is a transaction, at whose end all references hold."""
    statements: dict[str | None, list[sql.Composable]] = defaultdict(list)
    for database, schema in sorted({(o.database or "", o.home.schema) for o in organizations}):
        for model in tenant_models():
            table = sql.Identifier(schema, model._meta.db_table)
            statements[database or None].append(sql.SQL("DELETE FROM {}").format(table))
    for model in control_models():
        statements[None] += _restoring(model)
    emptied = sql.SQL("DELETE FROM platform.outbox")
    with servers.as_administrator() as connection:
        return {
            database: sql.SQL(";").join([emptied, *those]).as_bytes(connection)
            for database, those in statements.items()
        }


def _restoring(model: Any) -> list[sql.Composable]:
    """Take out of a table what was added or changed since, and put back what was changed or taken out."""
    stays, table = sql.SQL(OUTLIVING.get(model._meta.label, "false")), sql.Identifier(model._meta.db_table)
    with servers.as_administrator() as connection:
        rows = connection.execute(sql.SQL("SELECT to_jsonb(t) FROM {} AS t WHERE NOT ({})").format(table, stays))
        created = [] if is_log(model) else [json.dumps(row) for (row,) in rows]
    parts = {"table": table, "stays": stays, "created": sql.Literal(created)}
    remove = sql.SQL(REMOVE).format(**parts)
    put_back = sql.SQL(PUT_BACK).format(**parts, key=sql.Identifier(model._meta.pk.column))
    return [remove, put_back] if created else [remove]


def is_log(model: Any) -> bool:
    """Whether not even the control plane may take its rows away."""
    owner = next((field for field in model._meta.local_fields if field.column == "tenant_id"), None)
    return "DELETE" not in getattr(owner, "control_privileges", "DELETE")
