"""What a schema looks like to PostgreSQL, as lines that are the same for two schemas exactly if they are alike.

Columns in their order, constraints, indexes, policies, row security, grants, triggers, sequences and functions; names
of the schema itself are left out. Validity of constraints and indexes belongs to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections
from psycopg import sql

from . import blueprint
from .owner import transaction_in
from .release import Release

LINES = r"""
WITH wanted AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY(%s)),
relations AS (SELECT c.*, w.nspname FROM pg_class c JOIN wanted w ON w.oid = c.relnamespace),
lines (nspname, line) AS (
  SELECT r.nspname, concat_ws(' ', 'column', r.relname,
           row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum), a.attname,
           format_type(a.atttypid, a.atttypmod), a.attnotnull, nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
           (SELECT collname FROM pg_collation WHERE oid = a.attcollation), pg_get_expr(d.adbin, d.adrelid))
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE r.relkind IN ('r', 'p', 'v', 'm')
  UNION ALL SELECT r.nspname, concat_ws(' ', 'relation', r.relname, r.relkind, r.relpersistence, r.relrowsecurity,
           r.relforcerowsecurity, r.reloptions, pg_get_userbyid(r.relowner))
    FROM relations r WHERE r.relkind <> 'i'
  UNION ALL SELECT r.nspname, concat_ws(' ', 'grant', r.relname, pg_get_userbyid(g.grantee), g.privilege_type,
           g.is_grantable)
    FROM relations r, aclexplode(r.relacl) g
  UNION ALL SELECT w.nspname, concat_ws(' ', 'usage', pg_get_userbyid(g.grantee), g.privilege_type)
    FROM pg_namespace n JOIN wanted w ON w.oid = n.oid, aclexplode(n.nspacl) g
  UNION ALL SELECT r.nspname, concat_ws(' ', 'constraint', r.relname, c.conname, c.convalidated,
           pg_get_constraintdef(c.oid))
    FROM relations r JOIN pg_constraint c ON c.conrelid = r.oid
  UNION ALL SELECT r.nspname, concat_ws(' ', 'index', i.indisvalid, pg_get_indexdef(i.indexrelid))
    FROM relations r JOIN pg_index i ON i.indexrelid = r.oid
  UNION ALL SELECT r.nspname, concat_ws(' ', 'policy', r.relname, p.polname, p.polcmd, p.polpermissive,
           (SELECT string_agg(pg_get_userbyid(role), ',' ORDER BY 1) FROM unnest(p.polroles) role),
           pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relations r JOIN pg_policy p ON p.polrelid = r.oid
  UNION ALL SELECT r.nspname, concat_ws(' ', 'trigger', r.relname, pg_get_triggerdef(t.oid))
    FROM relations r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
  UNION ALL SELECT w.nspname, concat_ws(' ', 'function', pg_get_functiondef(p.oid))
    FROM pg_proc p JOIN wanted w ON w.oid = p.pronamespace AND p.prokind IN ('f', 'p')
)
SELECT nspname, replace(line, nspname || '.', '') FROM lines"""

DIGESTS = sql.SQL(
    r"SELECT nspname, md5(string_agg(line, E'\n' ORDER BY line)) FROM ({}) AS each (nspname, line) GROUP BY nspname"
).format(sql.SQL(LINES))


def digests(owner_alias: str, schemas: Sequence[str]) -> dict[str, str]:
    """A digest of the shape of each schema of a slice; of an empty or missing one there is none."""
    with connections[owner_alias].cursor() as cursor:
        return _digests(cursor, schemas)


def lines(owner_alias: str, schema: str) -> set[str]:
    """The shape of one schema."""
    with connections[owner_alias].cursor() as cursor:
        return _lines(cursor, schema)


def reference(owner_alias: str, release: Release, *, operator: str) -> tuple[str, set[str]]:
    """Digest and lines of the schema that a tenant created under this release would get; it is taken back again."""
    schema = blueprint.new_schema_name("reference")
    with transaction_in(owner_alias, schema) as connection, connection.cursor() as cursor:
        blueprint.build_schema(owner_alias, schema, operator=operator, release=release)
        found = _digests(cursor, [schema])[schema], _lines(cursor, schema)
        connection.set_rollback(True)
    return found


def _digests(cursor: Any, schemas: Sequence[str]) -> dict[str, str]:
    cursor.execute(DIGESTS, [list(schemas)])
    return dict(cursor.fetchall())


def _lines(cursor: Any, schema: str) -> set[str]:
    cursor.execute(LINES, [[schema]])
    return {line for _, line in cursor.fetchall()}
