"""Building a tenant's schema: from the migrations once, from their recorded statements for every further one."""

from __future__ import annotations

import secrets

from django.db import connections
from psycopg import sql

from ..walls.roles import APP_TENANT
from . import ledger
from .owner import transaction_in
from .release import Release, this_release
from .replay import apply, as_script, recording

_recorded: dict[str, str] = {}  # by fingerprint: the statements of a whole schema, once this process has run them


def new_schema_name(prefix: str = "t") -> str:
    """A schema name nobody chose: letters, digits and one underscore."""
    return f"{prefix}_{secrets.token_hex(8)}"


def build_schema(owner_alias: str, schema: str, *, operator: str, release: Release | None = None) -> None:
    """Make a schema with all tenant-plane tables in one transaction; the owner's connection does it."""
    release = release or this_release()
    with transaction_in(owner_alias, schema) as connection:
        with connection.cursor() as cursor:
            for statement in _create_schema(schema, operator):
                cursor.execute(statement)
            ledger.note(cursor, schema, release.fingerprint)
            if release.fingerprint in _recorded:
                cursor.execute(_recorded[release.fingerprint])
                return
        with recording(connection) as statements:
            apply(connection, release.way(release.missing(frozenset())))
        _recorded[release.fingerprint] = as_script(statements)


def schema_exists(owner_alias: str, schema: str) -> bool:
    with connections[owner_alias].cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [schema])
        return bool(cursor.fetchone()[0])


def _create_schema(schema: str, operator: str) -> list[sql.Composed | str]:
    name = sql.Identifier(schema)
    roles = sql.SQL(", ").join([sql.Identifier(APP_TENANT), sql.Identifier(operator)])
    return [
        sql.SQL("CREATE SCHEMA {}").format(name),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(name, roles),
        ledger.MIGRATIONS_TABLE,
    ]
