"""How each table has to be walled, said a second time: what builds the walls is not asked whether they are right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from apps.tenancy.fields import ALL_PRIVILEGES
from apps.tenancy.planes import READ_BY_TENANTS, control_models, table_name, tenant_column, tenant_models
from apps.tenancy.schemas.server import MAY_EMIT
from apps.tenancy.walls.roles import APP_CONTROL, APP_RELAY, APP_TENANT, PLATFORM_SCHEMA

OWN_ROWS = "(tenant_id = (current_setting('app.tenant_id'::text))::uuid)"
ALL_ROWS = "true"
EVERY_VERB = "SELECT, INSERT, UPDATE, DELETE"
PUBLIC = "public"
_PRIVILEGE = re.compile(r"([A-Z]+)(?: \(([a-z_, ]+)\))?")

Grant = tuple[str, str, str]  # role, verb, column or ''
Policy = tuple[str, frozenset[str], str, str]  # name, roles, USING, WITH CHECK


@dataclass(frozen=True)
class Names:
    """The roles whose names differ between installations and databases."""

    owner: str
    login: str
    operator: str


@dataclass(frozen=True)
class Shape:
    grants: frozenset[Grant] = frozenset()
    policies: frozenset[Policy] = frozenset()
    walled: bool = False
    of_tenants: bool = False


UNKNOWN = Shape()


def shape_of(schema: str, table: str, names: Names, *, in_control: bool) -> Shape | None:
    """The shape of a table in a schema; None if no table of this name belongs there."""
    if schema == PLATFORM_SCHEMA:
        return _platform(names).get(table)
    if schema != PUBLIC:
        return Shape() if table == "django_migrations" else _tenant_tables(names).get(table)
    return _control_tables(names).get(table) if in_control else None


def schema_grants(schema: str, names: Names) -> set[tuple[str, str]]:
    if schema == PLATFORM_SCHEMA:
        return {(role, "USAGE") for role in (APP_TENANT, APP_CONTROL, APP_RELAY, names.operator)}
    if schema == PUBLIC:
        return {(APP_TENANT, "USAGE"), (APP_CONTROL, "USAGE"), ("PUBLIC", "USAGE")}
    return {(APP_TENANT, "USAGE"), (names.operator, "USAGE")}


@lru_cache(maxsize=64)
def _tenant_tables(names: Names) -> dict[str, Shape]:
    return {table_name(model): _tenant_shape(model, names) for model in tenant_models()}


@lru_cache(maxsize=64)
def _control_tables(names: Names) -> dict[str, Shape]:
    return {table_name(model): _control_shape(model, names) for model in control_models()}


def _tenant_shape(model: Any, names: Names) -> Shape:
    privileges = tenant_column(model).privileges
    return Shape(
        grants=_grants(APP_TENANT, privileges) | _grants(names.operator, EVERY_VERB),
        policies=_policies(names),
        walled=True,
        of_tenants=True,
    )


def _control_shape(model: Any, names: Names) -> Shape:
    column = tenant_column(model)
    if column is None:
        to_tenants = "SELECT" if model._meta.label in READ_BY_TENANTS else ""
        return Shape(grants=_grants(APP_CONTROL, EVERY_VERB) | _grants(APP_TENANT, to_tenants))
    to_control = getattr(column, "control_privileges", ALL_PRIVILEGES)
    grants = _grants(APP_CONTROL, to_control) | _grants(names.operator, "SELECT")
    control = ("control_access", frozenset({APP_CONTROL}), ALL_ROWS, ALL_ROWS)
    grants |= _grants(APP_TENANT, getattr(column, "privileges", ""))
    return Shape(grants=grants, policies=_policies(names) | {control}, walled=True)


def _platform(names: Names) -> dict[str, Shape]:
    readers = frozenset({APP_CONTROL, APP_RELAY, names.operator})
    handing_over = _grants(APP_RELAY, "SELECT, UPDATE, DELETE") | _grants(names.operator, "SELECT, UPDATE, DELETE")
    outbox = Shape(
        grants=handing_over | _grants(APP_TENANT, MAY_EMIT) | _grants(APP_CONTROL, MAY_EMIT),
        policies=frozenset(
            {
                ("tenant_isolation", frozenset({APP_TENANT}), "", OWN_ROWS),
                ("full_access", readers, ALL_ROWS, ALL_ROWS),
            }
        ),
        walled=True,
    )
    return {
        "outbox": outbox,
        "django_migrations": Shape(grants=_grants(APP_CONTROL, "SELECT")),
        "schema_ledger": Shape(grants=_grants(names.operator, "SELECT")),
    }


def _policies(names: Names) -> frozenset[Policy]:
    return frozenset(
        {
            ("tenant_isolation", frozenset({APP_TENANT, names.owner}), OWN_ROWS, OWN_ROWS),
            ("operator_access", frozenset({names.operator}), ALL_ROWS, ALL_ROWS),
        }
    )


def _grants(role: str, privileges: str) -> frozenset[Grant]:
    """The single rights in what a model declares, such as ``SELECT, UPDATE (used_at)``."""
    found: set[Grant] = set()
    for verb, columns in _PRIVILEGE.findall(privileges):
        found |= {(role, verb, column.strip()) for column in columns.split(",")}
    return frozenset(found)
