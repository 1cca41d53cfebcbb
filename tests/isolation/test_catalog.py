"""What PostgreSQL's catalog says of the walls, for every table there is."""

from __future__ import annotations

import pytest
from django.db import connections, migrations, models
from django.db.migrations.state import ModelState, ProjectState

from apps.tenancy import databases
from apps.tenancy.fields import TenantIdField, TenantKey
from apps.tenancy.planes import tenant_models, walled_control_models
from apps.tenancy.schemas import blueprint
from apps.tenancy.walls.roles import ASSUMED_ROLES
from tests.support import servers

SCHEMA_SHAPE = """
    SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
           pg_get_expr(d.adbin, d.adrelid)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE n.nspname = %(schema)s AND c.relkind = 'r' AND a.attnum > 0
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), contype::text, ''
      FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace
    UNION ALL SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = %(schema)s
    UNION ALL SELECT 'policy', tablename, policyname, qual, with_check, roles::text
      FROM pg_policies WHERE schemaname = %(schema)s
    UNION ALL SELECT 'security', relname, relrowsecurity::text, relforcerowsecurity::text, relacl::text, relkind::text
      FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'v', 'm')
    ORDER BY 1, 2, 3, 4"""


@pytest.fixture(params=[None, "tenant"])
def catalog(request, platform, database):
    """The control database and a tenant's own."""
    name = platform["database"][0].database if request.param else None
    with servers.as_owner(name) as connection:
        yield connection


def test_tables__that_carry_a_tenant__have_forced_row_level_security(catalog):
    loose = catalog.execute(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') "
        "AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    ).fetchall()

    assert loose == []


def test_tables__of_walled_models__are_all_there_with_their_policies(platform, database):
    with servers.as_owner() as connection:
        policies = set(connection.execute("SELECT schemaname, tablename, policyname FROM pg_policies").fetchall())
    schemas = [platform["pool"][0].context.schema, platform["schema"][0].context.schema]

    for model in tenant_models():
        for schema in schemas:
            assert (schema, model._meta.db_table, "tenant_isolation") in policies
    for model in walled_control_models():
        assert ("public", model._meta.db_table, "tenant_isolation") in policies


def test_database__has_nothing_that_walks_around_the_walls(catalog):
    ours = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
    views = catalog.execute(
        f"SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE relkind IN ('v', 'm') AND {ours}"
    ).fetchall()
    definers = catalog.execute(
        f"SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE prosecdef AND {ours}"
    ).fetchall()
    truncating = catalog.execute(
        "SELECT grantee, table_name FROM information_schema.role_table_grants "
        "WHERE privilege_type IN ('TRUNCATE', 'TRIGGER', 'REFERENCES') AND grantee = ANY(%s)",
        [[*ASSUMED_ROLES, "tenantry_login", "tenantry_operator"]],
    ).fetchall()

    assert (views, definers, truncating) == ([], [], [])


def test_roles__none__is_superuser_or_bypasses_row_level_security(catalog):
    strong = catalog.execute(
        "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls OR rolreplication) "
        "AND (rolname LIKE 'app\\_%' OR rolname LIKE 'tenant%')"
    ).fetchall()
    inheriting = catalog.execute(
        "SELECT rolname FROM pg_roles WHERE rolinherit AND (rolname LIKE '%\\_login' OR rolname LIKE 'app\\_%')"
    ).fetchall()

    assert (strong, inheriting) == ([], [])


def test_login__itself__holds_no_privilege_on_any_table(catalog):
    held = catalog.execute(
        "SELECT table_schema, table_name, grantee FROM information_schema.role_table_grants "
        "WHERE grantee LIKE '%\\_login' "
        "OR (grantee = 'PUBLIC' AND table_schema NOT IN ('pg_catalog', 'information_schema'))"
    ).fetchall()

    assert held == []


def test_login__cannot_become_operator_or_owner(platform, database):
    with servers.as_login() as connection:
        for role in ("tenantry_operator", "tenantry_owner", "postgres"):
            with pytest.raises(Exception, match="permission denied to set role"):
                connection.execute(f"SET ROLE {role}")


def test_schema__replayed__equals_one_that_was_migrated(platform, database):
    owner = databases.owner_alias()
    replayed, migrated = blueprint.new_schema_name(), blueprint.new_schema_name()
    blueprint.build_schema(owner, replayed, operator="tenantry_operator")
    recorded, blueprint._recorded = blueprint._recorded, {}
    try:
        blueprint.build_schema(owner, migrated, operator="tenantry_operator")
    finally:
        blueprint._recorded = recorded

    with servers.as_owner() as connection:
        shapes = []
        for schema in (replayed, migrated):
            connection.execute(f'SET search_path = "{schema}"')
            shape = connection.execute(SCHEMA_SHAPE, {"schema": schema}).fetchall()
            shapes.append([tuple(str(v).replace(schema, "S") for v in row) for row in shape])
            connection.execute(f'DROP SCHEMA "{schema}" CASCADE')

    assert len(shapes[0]) > 30
    assert shapes[0] == shapes[1]


def test_operator__reads_every_tenant__for_moves_and_archives(platform, database):
    from tests.support.factories import add_project

    for organization in platform["pool"]:
        add_project(organization)

    with servers.as_operator() as connection:
        schema = platform["pool"][0].context.schema
        found = connection.execute(f'SELECT count(DISTINCT tenant_id) FROM "{schema}".projects_project').fetchone()

    assert found == (2,)


def test_public_schema__holds_no_tenant_table(catalog):
    names = [model._meta.db_table for model in tenant_models()] + ["django_migrations"]
    found = catalog.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", [names]
    ).fetchall()

    assert found == []


@pytest.mark.parametrize("kind", ["tenant plane", "control plane"])
def test_table__that_is_given_a_tenant_later__gets_its_walls_with_it(platform, database, kind):
    column = TenantIdField() if kind == "tenant plane" else TenantKey(null=True, related_name="+")
    name = "tenant_id" if kind == "tenant plane" else "tenant"
    before = ProjectState()
    before.add_model(ModelState("tenants", "Tenant", [("id", models.UUIDField(primary_key=True))]))
    before.add_model(ModelState("tenants", "Late", [("id", models.BigAutoField(primary_key=True))]))
    after = before.clone()
    operation = migrations.AddField("late", name, column)
    operation.state_forwards("tenants", after)
    connection = connections[databases.owner_alias()]
    try:
        connection.enter_schema("tenant" if kind == "tenant plane" else "control", "public", "platform")
        with connection.schema_editor() as editor:
            editor.create_model(before.apps.get_model("tenants", "Late"))
        with connection.schema_editor() as editor:
            operation.database_forwards("tenants", editor, before, after)
        with servers.as_owner() as owner:
            walls = (
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'public.tenants_late'::regclass"
            )
            assert owner.execute(walls).fetchone() == (True, True)
    finally:
        connection.migration_plane = None
        connection.close()
        with servers.as_owner() as owner:
            owner.execute("DROP TABLE IF EXISTS public.tenants_late")
