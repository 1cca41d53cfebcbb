"""Taking a probe out of existence: its rows, its schema or database, its files. Safe to repeat and to kill."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

import psycopg
from django.conf import settings
from django.db.models import F
from psycopg import sql

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy import databases
from apps.tenancy.context import control
from apps.tenancy.planes import table_name, tenant_models
from apps.tenancy.transactions import atomic

from .. import directory
from ..errors import IllegalTransition, TenantNotFound
from ..models import Placement, Pool, Tenant, TenantDatabase


def probes() -> list[UUID]:
    """Organizations that were created to be attacked and are still there."""
    with control("find probes"):
        return list(Tenant.objects.filter(is_probe=True).order_by("created_at").values_list("id", flat=True))


def remove_probe(*, tenant_id: UUID, actor: Actor) -> None:
    """Remove everything of a probe but what the audit log has of it. Needs the owner's and operator's credentials.

    The row that says that it is a probe goes last, so that a later run finishes what a killed one began. Raises
    TenantNotFound, IllegalTransition for any other organization.
    """
    with control("remove a probe"):
        tenant = Tenant.objects.with_placement().filter(id=tenant_id).first()
        if tenant is None:
            raise TenantNotFound
        if not tenant.is_probe:
            raise IllegalTransition(f"{tenant.slug} is no probe.")
        with atomic():  # first, as not all that follows is one transaction: none is removed without a record
            audit.record("probe.removed", actor=actor, resource=tenant, tenant_id=tenant.id)
        _remove_rows(tenant)
        shutil.rmtree(Path(settings.MEDIA_ROOT) / "tenants" / tenant.id.hex, ignore_errors=True)
        with atomic():
            pools = Pool.objects.filter(placements__tenant=tenant)
            Pool.objects.filter(id__in=list(pools.values_list("id", flat=True))).update(
                tenant_count=F("tenant_count") - 1
            )
            Placement.objects.filter(tenant=tenant).delete()
            Tenant.objects.filter(id=tenant.id).delete()
            directory.changed(tenant_id)


def _remove_rows(tenant: Tenant) -> None:
    placement: Placement | None = getattr(tenant, "placement", None)
    for database in TenantDatabase.objects.filter(tenant=tenant):
        _drop_database(database)
    if placement is not None and placement.kind == Placement.Kind.SCHEMA:
        with psycopg.connect(databases.owner_url()) as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(placement.schema)))
            connection.execute("DELETE FROM platform.schema_ledger WHERE schema = %s", [placement.schema])
    with psycopg.connect(settings.DATABASE_OPERATOR_URL) as connection:
        if placement is not None and placement.kind == Placement.Kind.POOL:
            for model in reversed(tenant_models()):
                table = sql.Identifier(placement.schema, table_name(model))
                connection.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(table), [tenant.id])
        connection.execute("DELETE FROM platform.outbox WHERE tenant_id = %s", [tenant.id])


def _drop_database(database: TenantDatabase) -> None:
    """The owner must be a member of the login to end what still is connected with it, such as a relay."""
    name = databases.parse_url(database.url.reveal())["USER"]
    login = sql.Identifier(name)
    TenantDatabase.objects.filter(id=database.id).update(built=False)  # relays and health checks leave it alone
    databases.forget(database.alias)
    databases.forget(f"{databases.OWNER_ALIAS}:{database.name}")
    with psycopg.connect(databases.owner_url(), autocommit=True) as connection:
        has_login = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        if has_login:
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(login))
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        connection.execute(drop.format(sql.Identifier(database.name)))
        if has_login:
            connection.execute(sql.SQL("DROP ROLE {}").format(login))
