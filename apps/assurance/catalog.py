"""What PostgreSQL's own catalog says of the walls, compared with what the product intends. Reads nothing else.

A check is run on one slice of a database's schemas after the other; what is about the whole database it looks at with
the first.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg

from apps.tenancy.planes import tenant_models
from apps.tenancy.walls.roles import ASSUMED_ROLES

from .checks import Register, Wall, Watch
from .shapes import PUBLIC, Grant, Names, Policy, schema_grants, shape_of

check = Register("catalog")
OLDEST_SUPPORTED = 14

OURS = "SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY oid"
SECURITY_DEFINERS: frozenset[str] = frozenset()  # the functions that may be one, as schema.name; we have none

TABLES = """SELECT n.nspname, c.relname, c.relrowsecurity, c.relforcerowsecurity, a.attnotnull,
        coalesce(pg_get_expr(d.adbin, d.adrelid), ''), a.attnum IS NOT NULL
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND n.oid = ANY(%(ours)s) ORDER BY 1, 2"""
POLICIES = """SELECT n.nspname, c.relname, p.polname, p.polpermissive, p.polcmd::text,
        ARRAY(SELECT coalesce(r.rolname, 'PUBLIC') FROM unnest(p.polroles) AS given(oid)
              LEFT JOIN pg_roles r ON r.oid = given.oid)::text[],
        coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.oid = ANY(%(ours)s)"""
GRANTS = """SELECT n.nspname, c.relname, coalesce(r.rolname, 'PUBLIC'), g.privilege_type, coalesce(a.attname, '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN LATERAL (SELECT c.relacl AS acl, NULL::name AS attname
        UNION ALL SELECT attacl, attname FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a ON true
    CROSS JOIN LATERAL aclexplode(a.acl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.oid = ANY(%(ours)s) AND g.grantee <> c.relowner"""
SCHEMAS = """SELECT n.nspname, coalesce(r.rolname, 'PUBLIC'), g.privilege_type FROM pg_namespace n
    CROSS JOIN LATERAL aclexplode(n.nspacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
    WHERE n.oid = ANY(%(ours)s) AND g.grantee <> n.nspowner AND g.grantee <> %(owner)s::regrole"""
DATABASE = """SELECT coalesce(r.rolname, 'PUBLIC'), g.privilege_type FROM pg_database d
    CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) g
    LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE d.datname = current_database() AND g.grantee <> d.datdba"""
UNIQUES = """SELECT n.nspname, c.relname, i.relname, pg_get_indexdef(x.indexrelid, 1, true)
    FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE x.indisunique AND NOT x.indisprimary AND n.oid = ANY(%(ours)s)"""  # a condition would ask of every index
REFERENCES = """SELECT n.nspname, c.relname, k.conname, f.nspname, b.relname,
        (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]),
        (SELECT attname FROM pg_attribute WHERE attrelid = k.confrelid AND attnum = k.confkey[1])
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class b ON b.oid = k.confrelid JOIN pg_namespace f ON f.oid = b.relnamespace
    WHERE k.contype = 'f' AND n.oid = ANY(%(ours)s)"""
DEFINERS = """SELECT n.nspname || '.' || p.proname, coalesce(array_to_string(p.proconfig, ' '), '')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.oid = ANY(%(ours)s) AND NOT EXISTS
        (SELECT 1 FROM pg_depend e WHERE e.objid = p.oid AND e.deptype = 'e')"""
VIEWS = """SELECT n.nspname, c.relname, c.relkind::text, coalesce(array_to_string(c.reloptions, ' '), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm', 'f') AND n.oid = ANY(%(ours)s) AND NOT EXISTS
        (SELECT 1 FROM pg_depend e WHERE e.objid = c.oid AND e.deptype = 'e')"""
RULES = """SELECT n.nspname, c.relname, w.rulename FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE w.rulename <> '_RETURN' AND n.oid = ANY(%(ours)s)"""
ROLES = """SELECT rolname, rolsuper, rolbypassrls, rolreplication, rolcreaterole, rolcreatedb, rolinherit, rolcanlogin
    FROM pg_roles WHERE rolname = ANY(%(roles)s)"""
MEMBERS = """SELECT r.rolname, u.rolname, u.rolsuper, m.admin_option, coalesce(to_jsonb(m)->>'inherit_option', 'false')
    FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
    WHERE r.rolname = ANY(%(roles)s) OR u.rolname = ANY(%(roles)s)"""
OWNED = """SELECT r.rolname, count(*) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
    WHERE s.deptype = 'o' AND s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY(%(roles)s)
    AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) GROUP BY 1"""
PINNED = """SELECT coalesce(r.rolname, 'everybody'), array_to_string(s.setconfig, ', ')
    FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
    WHERE array_to_string(s.setconfig, ',') ~ '(^|,)(role|row_security|search_path|app\\.tenant_id)='
    AND (r.rolname = ANY(%(roles)s) OR s.setrole = 0)"""
DEFAULTS = """SELECT coalesce(n.nspname, 'every schema'), coalesce(r.rolname, 'PUBLIC'), g.privilege_type
    FROM pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl) g LEFT JOIN pg_roles r ON r.oid = g.grantee
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace WHERE d.defaclobjtype IN ('r', 'n')
    AND g.grantee <> d.defaclrole"""


def schemas_of(connection: psycopg.Connection[Any]) -> list[int]:
    """The schemas of a database that are not the server's own, public before those of tenants."""
    return [oid for (oid,) in connection.execute(OURS)]


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    enabled: bool
    forced: bool
    tenant_not_null: bool
    tenant_default: str
    has_tenant: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass
class Database:
    """Some schemas of one database of the installation, read through its owner's connection.

    With the first of them, where the schema public is, whatever is no schema's is looked at.
    """

    name: str
    names: Names
    in_control: bool
    logins: frozenset[str]  # of all databases
    connection: psycopg.Connection[Any]
    schemas: list[int]
    is_first: bool = True

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, {"ours": self.schemas, **values}).fetchall()  # type: ignore[arg-type]

    @cached_property
    def tables(self) -> list[Table]:
        return [Table(*row) for row in self.rows(TABLES)]

    @cached_property
    def roles(self) -> list[str]:
        """Every role but the owner's: those that must be weak."""
        return [*ASSUMED_ROLES, self.names.operator, *sorted(self.logins)]

    def shape(self, schema: str, table: str) -> Any:
        return shape_of(schema, table, self.names, in_control=self.in_control)

    def at(self, thing: object) -> str:
        return f"{self.name}: {thing}"


# -- rows --------------------------------------------------------------------------------------------------------


@check(
    "row-security",
    Wall.ROWS,
    "Row-level security is on and forced",
    tries="Looks at every table that has a tenant_id, in every schema, for ENABLE and FORCE ROW LEVEL SECURITY.",
    why="Without it a statement that forgets its filter reads every tenant; unless forced, the owner's do.",
)
def row_security(database: Database, watch: Watch) -> None:
    for table in database.tables:
        shape = database.shape(table.schema, table.name)
        if table.has_tenant or (shape and shape.walled):
            watch.expect(table.enabled, database.at(f"{table} has no row-level security"))
            watch.expect(table.forced, database.at(f"{table} does not force row-level security on its owner"))


@check(
    "policies",
    Wall.ROWS,
    "The policies are exactly the product's",
    tries="Compares every policy's roles, command, USING and WITH CHECK with what is intended for its table.",
    why="Permissive policies add up: one that says 'true' opens a table, whatever the others say.",
)
def policies(database: Database, watch: Watch) -> None:
    found: dict[tuple[str, str], set[Policy]] = defaultdict(set)
    for schema, table, name, permissive, command, roles, using, check_ in database.rows(POLICIES):
        at = database.at(f"{schema}.{table}")
        watch.expect(permissive and command == "*", f"{at}: policy {name} is not a permissive one for all commands")
        found[schema, table].add((name, frozenset(roles), using, check_))
    for table in database.tables:
        shape = database.shape(table.schema, table.name)
        intended = shape.policies if shape else frozenset()
        actual = found[table.schema, table.name]
        watch.attempts += 1
        for policy in actual - intended:
            watch.breaches.append(database.at(f"{table} has {_policy(policy)}, which is not the product's"))
        for policy in intended - actual:
            watch.breaches.append(database.at(f"{table} lacks {_policy(policy)}"))


def _policy(policy: Policy) -> str:
    name, roles, using, check_ = policy
    return f"policy {name} to {', '.join(sorted(roles))} using {using or '-'} with check {check_ or '-'}"


# -- grants ------------------------------------------------------------------------------------------------------


@check(
    "grants",
    Wall.ROLES,
    "Each role has exactly its rights on each table",
    tries="Compares the access list of every table, column, view and sequence with what is intended, role by role.",
    why="TRUNCATE ignores policies, REFERENCES and TRIGGER reach around them, and a right for everybody needs no role.",
)
def grants(database: Database, watch: Watch) -> None:
    found: dict[tuple[str, str], set[Grant]] = defaultdict(set)
    for schema, table, role, verb, column in database.rows(GRANTS):
        found[schema, table].add((role, verb, column))
    known = {(table.schema, table.name) for table in database.tables}
    for schema, name in sorted(known | found.keys()):
        shape = database.shape(schema, name)
        intended = shape.grants if shape else frozenset()
        watch.attempts += 1
        for grant in sorted(found[schema, name] - intended):
            watch.breaches.append(database.at(f"{schema}.{name}: {_grant(grant)}, which is not intended"))
        for role, verb, column in sorted(intended - found[schema, name]):
            watch.remarks.append(database.at(f"{schema}.{name}: {role} lacks {verb}{column and f' ({column})'}"))


def _grant(grant: Grant) -> str:
    role, verb, column = grant
    return f"{role} may {verb}{f' ({column})' if column else ''}"


@check(
    "schema-grants",
    Wall.SCHEMAS,
    "Nobody may create anything, and each enters its own schemas only",
    tries="Compares the access lists of schemas and of the database, and default privileges, with what is intended.",
    why="Whoever may create in a schema of the search path puts a table or function in front of ours.",
)
def schema_rights(database: Database, watch: Watch) -> None:
    for schema, role, verb in database.rows(SCHEMAS, owner=database.names.owner):
        expected = schema_grants(schema, database.names)
        watch.expect((role, verb) in expected, database.at(f"{role} has {verb} on the schema {schema}"))
    if not database.is_first:
        return
    allowed = {(database.names.login, "CONNECT"), (database.names.operator, "CONNECT")}
    for role, verb in database.rows(DATABASE):
        watch.expect((role, verb) in allowed, database.at(f"{role} has {verb} on the database"))
    for schema, role, verb in database.rows(DEFAULTS):
        watch.expect(False, database.at(f"new tables in {schema} give {verb} to {role}"))


# -- roles -------------------------------------------------------------------------------------------------------


@check(
    "role-attributes",
    Wall.ROLES,
    "No role is stronger than the walls",
    tries="Looks at each role for SUPERUSER, BYPASSRLS, REPLICATION, CREATEROLE, CREATEDB, INHERIT and LOGIN.",
    why="Superusers and BYPASSRLS see every row; a login that inherits has its roles' rights without a context.",
)
def role_attributes(database: Database, watch: Watch) -> None:
    if not database.is_first:
        return
    strong = ("SUPERUSER", "BYPASSRLS", "REPLICATION", "CREATEROLE", "CREATEDB")
    for name, *attributes, inherits, logs_in in database.rows(ROLES, roles=[*database.roles, database.names.owner]):
        held = [word for word, has in zip(strong, attributes, strict=True) if has]
        owner = name == database.names.owner
        allowed = {"CREATEROLE", "CREATEDB"} if owner else set()
        for word in held:
            watch.expect(word in allowed, database.at(f"the role {name} is {word}"))
        watch.expect(owner or not inherits, database.at(f"the role {name} inherits the rights of others"))
        watch.expect(name not in ASSUMED_ROLES or not logs_in, database.at(f"the role {name} may log in"))


@check(
    "role-members",
    Wall.ROLES,
    "Logins become the three assumed roles and nothing else",
    tries="Compares who is a member of whom, with which options, with what is intended.",
    why="A login that may become the operator or the owner reads every tenant with one statement.",
)
def role_members(database: Database, watch: Watch) -> None:
    if not database.is_first:
        return
    owner = database.names.owner
    for role, member, is_superuser, is_admin, inherits in database.rows(MEMBERS, roles=[*database.roles, owner]):
        if is_superuser or member == owner:
            continue  # stronger than any role here, or the one that made them
        watch.expect(role in ASSUMED_ROLES and member in database.logins, database.at(f"{member} may become {role}"))
        watch.expect(not is_admin, database.at(f"{member} may make others a member of {role}"))
        watch.expect(inherits != "true", database.at(f"{member} has the rights of {role} without becoming it"))


@check(
    "ownership",
    Wall.ROLES,
    "Only the owner owns anything",
    tries="Asks the server for every object that one of the weak roles owns, and for settings pinned on them.",
    why="The owner of a table switches its walls off; a pinned role or search_path applies before any context does.",
)
def ownership(database: Database, watch: Watch) -> None:
    if not database.is_first:
        return
    watch.nothing(database.rows(OWNED, roles=database.roles), database.at("{0} owns {1} objects"))
    pinned = database.rows(PINNED, roles=[*database.roles, database.names.owner])
    watch.nothing(pinned, database.at("settings pinned on {0}: {1}"))


# -- ways around -------------------------------------------------------------------------------------------------


@check(
    "definers",
    Wall.ROWS,
    "No function runs with its owner's rights",
    tries="Looks for SECURITY DEFINER functions outside a list of the product's own, which is empty.",
    why="Such a function is bound by its owner's policies, not by its caller's.",
)
def definers(database: Database, watch: Watch) -> None:
    watch.attempts += 1
    for name, settings in database.rows(DEFINERS):
        watch.expect(name in SECURITY_DEFINERS, database.at(f"{name} is a SECURITY DEFINER function"))
        watch.expect("search_path=" in settings, database.at(f"{name} does not pin its search_path"))


@check(
    "views",
    Wall.ROWS,
    "No view, copy or rule leads around the policies",
    tries="Looks for views without security_invoker, materialized views, foreign tables and rewrite rules.",
    why="A plain view reads with its owner's rights, a materialized one keeps rows where no policy applies.",
)
def views(database: Database, watch: Watch) -> None:
    watch.attempts += 1
    for schema, name, kind, options in database.rows(VIEWS):
        if kind == "v":
            checked = "security_invoker=true" in options or "security_invoker=on" in options
            watch.expect(checked, database.at(f"the view {schema}.{name} reads with its owner's rights"))
        else:
            word = "materialized view" if kind == "m" else "foreign table"
            watch.expect(False, database.at(f"{schema}.{name} is a {word}, which no policy protects"))
    watch.nothing(database.rows(RULES), database.at("the rule {2} on {0}.{1} rewrites statements"))


# -- keys and defaults ---------------------------------------------------------------------------------------------


@check(
    "keys",
    Wall.KEYS,
    "Uniqueness and references are led by the tenant",
    tries="Looks at every unique index and foreign key of tenant tables for tenant_id as first column on both sides.",
    why="Such checks ignore policies: a single column would let a row reference another tenant's, or betray a value.",
)
def keys(database: Database, watch: Watch) -> None:
    for schema, table, index, first in database.rows(UNIQUES):
        if first != "tenant_id" and _of_tenants(database, schema, table):
            watch.breaches.append(database.at(f"{schema}.{table}: {index} is unique across tenants"))
    for schema, table, name, other_schema, other, column, other_column in database.rows(REFERENCES):
        if _of_tenants(database, schema, table):
            composite = (column, other_column) == ("tenant_id", "tenant_id")
            watch.expect(composite, database.at(f"{schema}.{table}: {name} references {other} without its tenant"))
            watch.expect(schema == other_schema, database.at(f"{schema}.{table}: {name} leads to {other_schema}"))
    for table in database.tables:
        if _of_tenants(database, table.schema, table.name):
            default = "(current_setting('app.tenant_id'::text))::uuid"
            watch.expect(table.tenant_default == default, database.at(f"{table} does not default to the context"))
            watch.expect(table.tenant_not_null, database.at(f"{table} takes rows of nobody"))


def _of_tenants(database: Database, schema: str, table: str) -> bool:
    shape = database.shape(schema, table)
    return bool(shape and shape.of_tenants)


@check(
    "public-schema",
    Wall.SCHEMAS,
    "No tenant table stands in public",
    tries="Looks in public for the name of any tenant table, and for django_migrations.",
    why="public is in every search path: a tenant whose own table is missing would share that one.",
)
def public_schema(database: Database, watch: Watch) -> None:
    if not database.is_first:
        return
    shared = {model._meta.db_table for model in tenant_models()} | {"django_migrations"}
    names = {table.name for table in database.tables if table.schema == PUBLIC}
    for name in sorted(shared):
        watch.expect(name not in names, database.at(f"public.{name} would be read where a tenant's own is missing"))


@check(
    "unknown-tables",
    Wall.SCHEMAS,
    "The application reaches no table that it does not know",
    tries="Looks for tables that no model of this release describes and that one of the roles has a right on.",
    why="Nobody maintains the walls of a table that nobody knows: an old copy is as good as the original.",
)
def unknown_tables(database: Database, watch: Watch) -> None:
    reached = {(schema, table) for schema, table, *_ in database.rows(GRANTS)}
    for table in database.tables:
        known = database.shape(table.schema, table.name) is not None
        reachable = (table.schema, table.name) in reached
        watch.expect(known or not reachable, database.at(f"{table} is no table of this release, and can be reached"))


@check(
    "server-version",
    Wall.ROWS,
    "The server is of a version that is still mended",
    tries="Compares the version of PostgreSQL with the oldest one that the walls are tested on.",
    why="The walls are PostgreSQL's: where it disregards a policy, so do we. The newest minor release has the cures.",
)
def server_version(database: Database, watch: Watch) -> None:
    if not database.is_first:
        return
    version = database.connection.info.server_version
    text = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    supported = version // 10_000 >= OLDEST_SUPPORTED
    watch.expect(supported, database.at(f"{text} is older than {OLDEST_SUPPORTED}, the oldest that is supported"))
    watch.remarks.append(database.at(text))
