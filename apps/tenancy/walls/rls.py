"""Row-level security, privileges and policies of a table, as SQL that runs when the table is made."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from psycopg import sql

from ..fields import ALL_PRIVILEGES
from ..planes import CONTROL, plane_of, table_name, tenant_column
from .roles import APP_CONTROL, APP_TENANT

OWN_ROWS = sql.SQL("tenant_id = current_setting('app.tenant_id')::uuid")
ALL_ROWS = sql.SQL("true")


def statements_for(model: Any) -> list[sql.Composed]:
    """The grants and policies for a model's new table; tables that carry a tenant are walled."""
    operator = settings.DATABASE_OPERATOR_ROLE
    control = plane_of(model) == CONTROL
    table, owner_column = sql.Identifier(table_name(model)), tenant_column(model)
    to_control = getattr(owner_column, "control_privileges", ALL_PRIVILEGES)
    statements = [_grant(to_control, table, APP_CONTROL) if control else _grant(ALL_PRIVILEGES, table, operator)]
    if owner_column is None:
        return statements
    if control:
        statements.append(_grant("SELECT", table, operator))
    privileges = getattr(owner_column, "privileges", "")
    if privileges:
        statements.append(_grant(privileges, table, APP_TENANT))
    return [*statements, *_walls(table, control=control, operator=operator)]


def _walls(table: sql.Identifier, *, control: bool, operator: str) -> list[sql.Composed]:
    tenant_roles = sql.SQL("{}, CURRENT_USER").format(sql.Identifier(APP_TENANT))
    walls = [
        sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table),
        sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table),
        _policy("tenant_isolation", table, tenant_roles, OWN_ROWS),
        _policy("operator_access", table, sql.Identifier(operator), ALL_ROWS),
    ]
    if control:
        walls.append(_policy("control_access", table, sql.Identifier(APP_CONTROL), ALL_ROWS))
    return walls


def _policy(name: str, table: sql.Identifier, roles: sql.Composable, rows: sql.SQL) -> sql.Composed:
    statement = sql.SQL("CREATE POLICY {} ON {} TO {} USING ({}) WITH CHECK ({})")
    return statement.format(sql.Identifier(name), table, roles, rows, rows)


def _grant(privileges: str, table: sql.Identifier, role: str) -> sql.Composed:
    verbs = sql.SQL(", ").join(sql.SQL(verb.strip()) for verb in privileges.split(","))  # type: ignore[arg-type]
    return sql.SQL("GRANT {} ON {} TO {}").format(verbs, table, sql.Identifier(role))
