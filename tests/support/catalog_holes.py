"""Holes in the catalog: how each is made, how it is mended, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

TABLE = '"{pool}".projects_project'
POLICY = "CREATE POLICY tenant_isolation ON {table} TO app_tenant, CURRENT_USER USING ({rows}) WITH CHECK ({rows})"
OWN = "tenant_id = current_setting('app.tenant_id')::uuid"
RESTORED = POLICY.replace("{rows}", OWN).replace("{table}", TABLE)


@dataclass(frozen=True)
class Hole:
    """A way to tear a wall, to mend it, and what the command has to say about it."""

    name: str
    make: str
    mend: str
    check: str
    words: str


HOLES = [
    Hole(
        "row-level security not forced",
        f"ALTER TABLE {TABLE} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY",
        "row-security",
        "projects_project does not force row-level security",
    ),
    Hole(
        "row-level security off",
        f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY",
        "row-security",
        "projects_project has no row-level security",
    ),
    Hole(
        "row-level security off in the control plane",
        "ALTER TABLE accounts_apikey DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE accounts_apikey ENABLE ROW LEVEL SECURITY",
        "row-security",
        "public.accounts_apikey has no",
    ),
    Hole(
        "policy dropped",
        f"DROP POLICY tenant_isolation ON {TABLE}",
        RESTORED,
        "policies",
        "lacks policy tenant_isolation",
    ),
    Hole(
        "policy for everything",
        f"CREATE POLICY wide ON {TABLE} TO app_tenant USING (true)",
        f"DROP POLICY wide ON {TABLE}",
        "policies",
        "has policy wide to app_tenant using true",
    ),
    Hole(
        "policy that checks nothing",
        f"ALTER POLICY tenant_isolation ON {TABLE} WITH CHECK (true)",
        f"ALTER POLICY tenant_isolation ON {TABLE} WITH CHECK ({OWN})",
        "policies",
        "with check true",
    ),
    Hole(
        "policy for everybody",
        f"ALTER POLICY tenant_isolation ON {TABLE} TO PUBLIC",
        f"ALTER POLICY tenant_isolation ON {TABLE} TO app_tenant, CURRENT_USER",
        "policies",
        "to PUBLIC using",
    ),
    Hole(
        "policy of the outbox",
        "ALTER POLICY tenant_isolation ON platform.outbox USING (true)",
        "DROP POLICY tenant_isolation ON platform.outbox; CREATE POLICY tenant_isolation ON platform.outbox "
        f"TO app_tenant WITH CHECK ({OWN})",
        "policies",
        "platform.outbox has policy tenant_isolation",
    ),
    Hole(
        "truncating",
        f"GRANT TRUNCATE ON {TABLE} TO app_tenant",
        f"REVOKE TRUNCATE ON {TABLE} FROM app_tenant",
        "grants",
        "app_tenant may TRUNCATE",
    ),
    Hole(
        "reading by everybody",
        f"GRANT SELECT ON {TABLE} TO PUBLIC",
        f"REVOKE SELECT ON {TABLE} FROM PUBLIC",
        "grants",
        "PUBLIC may SELECT",
    ),
    Hole(
        "a tenant reading people",
        "GRANT SELECT (email) ON accounts_user TO app_tenant",
        "REVOKE SELECT (email) ON accounts_user FROM app_tenant",
        "grants",
        "public.accounts_user: app_tenant may SELECT (email)",
    ),
    Hole(
        "rewriting the audit log",
        "GRANT DELETE ON audit_controlevent TO app_control",
        "REVOKE DELETE ON audit_controlevent FROM app_control",
        "grants",
        "audit_controlevent: app_control may DELETE",
    ),
    Hole(
        "the login itself",
        "GRANT SELECT ON accounts_user TO {login}",
        "REVOKE SELECT ON accounts_user FROM {login}",
        "grants",
        "may SELECT",
    ),
    Hole(
        "creating tables",
        "GRANT CREATE ON SCHEMA public TO app_tenant",
        "REVOKE CREATE ON SCHEMA public FROM app_tenant",
        "schema-grants",
        "app_tenant has CREATE on the schema public",
    ),
    Hole(
        "temporary tables",
        "GRANT TEMPORARY ON DATABASE tenantry TO PUBLIC",
        "REVOKE TEMPORARY ON DATABASE tenantry FROM PUBLIC",
        "schema-grants",
        "PUBLIC has TEMPORARY",
    ),
    Hole(
        "rights on what is made later",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC",
        "schema-grants",
        "new tables in every schema give SELECT to PUBLIC",
    ),
    Hole(
        "a login that inherits",
        "ALTER ROLE {login} INHERIT",
        "ALTER ROLE {login} NOINHERIT",
        "role-attributes",
        "inherits the rights of others",
    ),
    Hole(
        "a role that logs in",
        "ALTER ROLE app_tenant LOGIN",
        "ALTER ROLE app_tenant NOLOGIN",
        "role-attributes",
        "app_tenant may log in",
    ),
    Hole(
        "past row-level security",
        "ALTER ROLE app_tenant BYPASSRLS",
        "ALTER ROLE app_tenant NOBYPASSRLS",
        "role-attributes",
        "the role app_tenant is BYPASSRLS",
    ),
    Hole(
        "superuser",
        "ALTER ROLE {operator} SUPERUSER",
        "ALTER ROLE {operator} NOSUPERUSER",
        "role-attributes",
        "is SUPERUSER",
    ),
    Hole(
        "a login that may become the operator",
        "GRANT {operator} TO {login}",
        "REVOKE {operator} FROM {login}",
        "role-members",
        "tenantry_login may become tenantry_operator",
    ),
    Hole(
        "a role that may become another",
        "GRANT app_control TO app_tenant",
        "REVOKE app_control FROM app_tenant",
        "role-members",
        "app_tenant may become app_control",
    ),
    Hole(
        "a table of the application's role",
        "CREATE TABLE public.peek (); ALTER TABLE public.peek OWNER TO app_control",
        "DROP TABLE public.peek",
        "ownership",
        "app_control owns 1 objects",
    ),
    Hole(
        "a pinned search path",
        "ALTER ROLE {login} SET search_path = pool_0001",
        "ALTER ROLE {login} RESET search_path",
        "ownership",
        "settings pinned on tenantry_login",
    ),
    Hole(
        "a function with its owner's rights",
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::bigint'",
        "DROP FUNCTION peek()",
        "definers",
        "public.peek is a SECURITY DEFINER function",
    ),
    Hole(
        "a view",
        f"CREATE VIEW peek AS SELECT * FROM {TABLE}",
        "DROP VIEW peek",
        "views",
        "the view public.peek reads with its owner's rights",
    ),
    Hole(
        "a copy",
        f"CREATE MATERIALIZED VIEW peek AS SELECT * FROM {TABLE} WITH NO DATA",
        "DROP MATERIALIZED VIEW peek",
        "views",
        "public.peek is a materialized view",
    ),
    Hole(
        "a rule",
        f"CREATE RULE peek AS ON INSERT TO {TABLE} DO INSTEAD NOTHING",
        f"DROP RULE peek ON {TABLE}",
        "views",
        "the rule peek on",
    ),
    Hole(
        "uniqueness across tenants",
        f"CREATE UNIQUE INDEX peek ON {TABLE} (name)",
        'DROP INDEX "{pool}".peek',
        "keys",
        "peek is unique across tenants",
    ),
    Hole(
        "a reference by id alone",
        'ALTER TABLE "{pool}".projects_document ADD CONSTRAINT peek '
        f"FOREIGN KEY (project_id) REFERENCES {TABLE} (id)",
        'ALTER TABLE "{pool}".projects_document DROP CONSTRAINT peek',
        "keys",
        "peek references projects_project without its tenant",
    ),
    Hole(
        "rows of nobody",
        f"ALTER TABLE {TABLE} ALTER tenant_id DROP NOT NULL",
        f"ALTER TABLE {TABLE} ALTER tenant_id SET NOT NULL",
        "keys",
        "projects_project takes rows of nobody",
    ),
    Hole(
        "another default",
        f"ALTER TABLE {TABLE} ALTER tenant_id SET DEFAULT gen_random_uuid()",
        f"ALTER TABLE {TABLE} ALTER tenant_id SET DEFAULT (current_setting('app.tenant_id')::uuid)",
        "keys",
        "projects_project does not default to the context",
    ),
    Hole(
        "a tenant table in public",
        "CREATE TABLE public.projects_project (id int)",
        "DROP TABLE public.projects_project",
        "public-schema",
        "public.projects_project would be read",
    ),
    Hole(
        "an old copy",
        f"CREATE TABLE public.copy_of_projects AS SELECT * FROM {TABLE} WITH NO DATA; "
        "GRANT SELECT ON public.copy_of_projects TO app_tenant",
        "DROP TABLE public.copy_of_projects",
        "unknown-tables",
        "public.copy_of_projects is no table of this release",
    ),
]
