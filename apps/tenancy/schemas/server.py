"""Prepares a PostgreSQL server and its databases: roles, privileges, the ``platform`` schema.

Everything is idempotent and needs CREATEROLE and ownership of the database, not superuser.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from ..walls.roles import APP_CONTROL, APP_RELAY, APP_TENANT, ASSUMED_ROLES, NOBODY, PLATFORM_SCHEMA
from . import owner

Connection = psycopg.Connection[Any]
CHANGED_MEANWHILE = "TN001"  # the SQLSTATE of a schema that another process is migrating, or has migrated
# Who emits says what has happened; who is to do something about it, and when, is the relay's to say.
MAY_EMIT = "INSERT (event_id, tenant_id, topic, payload, request_id, lane)"
PLATFORM_VERSION = 4  # raised whenever the statements of the platform schema change


def prepare_roles(connection: Connection, *, login: tuple[str, str], operator: tuple[str, str]) -> None:
    """Make the roles of a server, (name, password) for those that log in; passwords are set anew."""
    for role in ASSUMED_ROLES:
        _ensure_role(connection, role, sql.SQL("NOLOGIN NOINHERIT"))
    ensure_login(connection, *login)
    _ensure_login_role(connection, *operator)


def ensure_login(connection: Connection, name: str, password: str) -> None:
    """Make a login that owns nothing and may become each of the assumed roles."""
    _ensure_login_role(connection, name, password)
    for role in ASSUMED_ROLES:
        if not _is_member(connection, name, role):
            _run(connection, "GRANT {} TO {}", sql.Identifier(role), sql.Identifier(name))


def prepare_database(connection: Connection, *, login: str, operator: str) -> None:
    """Close a database to everybody but the login and the operator, and make its platform schema."""
    database = sql.Identifier(connection.info.dbname)
    _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    for role in (login, operator):
        _run(connection, "GRANT CONNECT ON DATABASE {} TO {}", database, sql.Identifier(role))
    _close_public_schema(connection)
    _make_platform(connection, operator)


def upgrade_platform(connection: Connection, *, operator: str) -> None:
    """Bring a database's platform schema up to date; nothing is touched, or locked, if it is, or is a later one's."""
    query = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')::int"
    version = connection.execute(query, [PLATFORM_SCHEMA]).fetchone()
    if version is None or (version[0] or 0) < PLATFORM_VERSION:
        _make_platform(connection, operator)


def create_database(connection: Connection, name: str) -> None:
    """Make an empty database unless it exists. The connection must be in autocommit mode."""
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    if found is None:
        _run(connection, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", sql.Identifier(name))


def _ensure_login_role(connection: Connection, name: str, password: str) -> None:
    attributes = sql.SQL("LOGIN NOINHERIT PASSWORD {}").format(sql.Literal(password))
    _ensure_role(connection, name, attributes)
    _run(connection, "ALTER ROLE {} PASSWORD {}", sql.Identifier(name), sql.Literal(password))


def _ensure_role(connection: Connection, name: str, attributes: sql.Composable) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        _run(connection, "CREATE ROLE {} {}", sql.Identifier(name), attributes)


def _is_member(connection: Connection, member: str, role: str) -> bool:
    query = (
        "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
        "JOIN pg_roles u ON u.oid = m.member WHERE r.rolname = %s AND u.rolname = %s"
    )
    return connection.execute(query, [role, member]).fetchone() is not None


def _close_public_schema(connection: Connection) -> None:
    """Let nobody but its owner create in ``public``. Raises when the server's administrator must do it."""
    _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    open_to_all = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) a "
        "WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE')"
    ).fetchone()
    if open_to_all and open_to_all[0]:
        raise PermissionError(
            "Everybody may create tables in the schema public. As the server's administrator run, in this database: "
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO <owner>"
        )
    roles = sql.SQL(", ").join(sql.Identifier(r) for r in (APP_TENANT, APP_CONTROL))
    _run(connection, "GRANT USAGE ON SCHEMA public TO {}", roles)


def _make_platform(connection: Connection, operator: str) -> None:
    """One process at a time, and without keeping those who write events waiting for long: LockNotAvailable instead."""
    with connection.transaction():
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [owner.LOCK_TIMEOUT])
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [PLATFORM_SCHEMA])
        for statement in _platform_schema(operator):
            connection.execute(statement)


def _platform_schema(operator: str) -> list[sql.Composed]:
    """The schema that every database has: the outbox, the ledger of schemas, the control plane's migration record."""
    names: dict[str, sql.Composable] = {
        "schema": sql.Identifier(PLATFORM_SCHEMA),
        "tenant": sql.Identifier(APP_TENANT),
        "control": sql.Identifier(APP_CONTROL),
        "relay": sql.Identifier(APP_RELAY),
        "operator": sql.Identifier(operator),
        "nobody": sql.Literal(NOBODY),
        "version": sql.Literal(str(PLATFORM_VERSION)),
        "changed_meanwhile": sql.Literal(CHANGED_MEANWHILE),
    }
    templates = [
        "CREATE SCHEMA IF NOT EXISTS {schema}",
        "GRANT USAGE ON SCHEMA {schema} TO {tenant}, {control}, {relay}, {operator}",
        """CREATE TABLE IF NOT EXISTS {schema}.django_migrations (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL,
            name varchar(255) NOT NULL, applied timestamptz NOT NULL)""",
        "GRANT SELECT ON {schema}.django_migrations TO {control}",
        """CREATE TABLE IF NOT EXISTS {schema}.outbox (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL UNIQUE,
            tenant_id uuid DEFAULT nullif(current_setting('app.tenant_id', true), '')::uuid,
            topic text NOT NULL,
            payload jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'), request_id text NOT NULL DEFAULT '',
            attempts int NOT NULL DEFAULT 0, last_error text NOT NULL DEFAULT '',
            created_at timestamptz NOT NULL DEFAULT now(), available_at timestamptz NOT NULL DEFAULT now())""",
        """ALTER TABLE {schema}.outbox ADD COLUMN IF NOT EXISTS waiting_for text[],
            ADD COLUMN IF NOT EXISTS deliveries int NOT NULL DEFAULT 0""",
        # What is there when the column comes has no place in an order any more.
        """ALTER TABLE {schema}.outbox ADD COLUMN IF NOT EXISTS lane text NOT NULL DEFAULT '',
            ADD COLUMN IF NOT EXISTS stage text NOT NULL DEFAULT 'alone'
                CHECK (stage IN ('waiting', 'in hand', 'alone')),
            ADD COLUMN IF NOT EXISTS organization uuid NOT NULL
                GENERATED ALWAYS AS (coalesce(tenant_id, {nobody}::uuid)) STORED,
            ALTER COLUMN stage SET DEFAULT 'waiting'""",
        """CREATE TABLE IF NOT EXISTS {schema}.schema_ledger (
            schema text PRIMARY KEY, fingerprint text NOT NULL, changed_at timestamptz NOT NULL DEFAULT now(),
            migration text NOT NULL DEFAULT '', operations_done int NOT NULL DEFAULT 0)""",
        "GRANT SELECT ON {schema}.schema_ledger TO {operator}",
        """CREATE OR REPLACE FUNCTION {schema}.advance_schema(name text, target text, seen text, lock text)
            RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
            INSERT INTO {schema}.schema_ledger AS ledger (schema, fingerprint) SELECT name, target
                WHERE pg_try_advisory_xact_lock(hashtextextended(lock, 0))
                ON CONFLICT (schema) DO UPDATE SET fingerprint = excluded.fingerprint, changed_at = now()
                WHERE ledger.fingerprint = seen;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'Another process is migrating %', name USING ERRCODE = {changed_meanwhile};
            END IF; END $$""",
        "REVOKE EXECUTE ON FUNCTION {schema}.advance_schema FROM PUBLIC",
        "DROP INDEX IF EXISTS {schema}.outbox_pending",
        "CREATE INDEX IF NOT EXISTS outbox_waiting ON {schema}.outbox (lane, organization, id) WHERE stage = 'waiting'",
        "CREATE INDEX IF NOT EXISTS outbox_in_hand ON {schema}.outbox (lane, organization) WHERE stage = 'in hand'",
        "CREATE INDEX IF NOT EXISTS outbox_alone ON {schema}.outbox (available_at, id) WHERE stage = 'alone'",
        # What a queue held when somebody counted says nothing of what it holds: plans go by its indexes alone.
        *(
            f"ALTER TABLE {{schema}}.outbox ALTER COLUMN {column} SET STATISTICS 0"
            for column in ("stage", "lane", "organization", "available_at", "waiting_for")
        ),
        # A queue is small and always new: a fifth of it is dead long before a fifth of a table would be.
        "ALTER TABLE {schema}.outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)",
        "ALTER TABLE {schema}.outbox ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE {schema}.outbox FORCE ROW LEVEL SECURITY",
        "REVOKE INSERT ON {schema}.outbox FROM {tenant}, {control}",  # of all columns, as it was once
        f"GRANT {MAY_EMIT} ON {{schema}}.outbox TO {{tenant}}, {{control}}",
        "GRANT SELECT, UPDATE, DELETE ON {schema}.outbox TO {relay}, {operator}",
        "DROP POLICY IF EXISTS tenant_isolation ON {schema}.outbox",
        """CREATE POLICY tenant_isolation ON {schema}.outbox TO {tenant}
            WITH CHECK (tenant_id = current_setting('app.tenant_id')::uuid)""",
        "DROP POLICY IF EXISTS full_access ON {schema}.outbox",
        """CREATE POLICY full_access ON {schema}.outbox TO {control}, {relay}, {operator}
            USING (true) WITH CHECK (true)""",
        """CREATE OR REPLACE FUNCTION {schema}.wake_relay() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$""",
        """CREATE OR REPLACE TRIGGER wake_relay AFTER INSERT ON {schema}.outbox
            FOR EACH STATEMENT EXECUTE FUNCTION {schema}.wake_relay()""",
        "COMMENT ON SCHEMA {schema} IS {version}",
    ]
    return [sql.SQL(template).format(**names) for template in templates]  # type: ignore[arg-type]


def _run(connection: Connection, template: str, *parts: sql.Composable) -> None:
    connection.execute(sql.SQL(template).format(*parts))  # type: ignore[arg-type]
