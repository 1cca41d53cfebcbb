"""Later releases, and schemas of their own to bring to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import models
from django.db.migrations import AddField, CreateModel, Migration
from django.db.migrations.operations.base import Operation

from apps.audit.actors import SYSTEM
from apps.fleet.services.migration import RunOutcome, migrate_fleet
from apps.tenancy import databases
from apps.tenancy.fields import GeneratedUUID, TenantIdField
from apps.tenancy.schemas import blueprint
from apps.tenancy.schemas.release import Release, this_release
from apps.tenants.locations import WARM, SchemaLocation, all_locations
from tests.support import servers
from tests.support.factories import Organization

_numbers = itertools.count(1)
LATER = "later"  # what the names of migrations of later releases begin with


def later(*operations: Operation, atomic: bool = True) -> Migration:
    """A migration of a release that does not exist yet, under a name that no other one has."""
    migration = Migration(f"{LATER}_{next(_numbers)}", "projects")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


def next_release(*operations: Operation, atomic: bool = True) -> Release:
    return this_release().followed_by(later(*operations, atomic=atomic))


def add_color() -> AddField:
    return AddField("project", "color", models.CharField(max_length=20, db_default="blue", default="blue"))


def create_label(name: str = "Label") -> CreateModel:
    """A new table, with the walls that every tenant's table has."""
    fields = [
        ("id", models.UUIDField(primary_key=True, db_default=GeneratedUUID(), editable=False)),
        ("tenant_id", TenantIdField()),
        ("name", models.CharField(max_length=50)),
    ]
    unique = models.UniqueConstraint(fields=["tenant_id", "id"], name=f"projects_{name.lower()}_tenant_key")
    return CreateModel(name, fields, options={"constraints": [unique]})


@contextmanager
def schemas(*databases_: str | None) -> Iterator[list[SchemaLocation]]:
    """New schemas of this release that nobody lives in, one in each of the databases; gone afterward."""
    locations = [SchemaLocation(database, blueprint.new_schema_name("t_fleet"), WARM) for database in databases_]
    for location in locations:
        alias = databases.owner_alias(location.database)
        blueprint.build_schema(alias, location.schema, operator=settings.DATABASE_OPERATOR_ROLE)
    try:
        yield locations
    finally:
        for location in locations:
            with servers.as_owner(location.database) as connection:
                connection.execute(f'DROP SCHEMA IF EXISTS "{location.schema}" CASCADE')
                connection.execute("DELETE FROM platform.schema_ledger WHERE schema = %s", [location.schema])


def migrate(release: Release, locations: list[SchemaLocation], **how: int) -> RunOutcome:
    return migrate_fleet(actor=SYSTEM, release=release, locations=locations, **{"canaries": 0, **how})


def noted(location: SchemaLocation) -> list[str]:
    """The migrations of later releases that a schema says it has, as often as it says so."""
    with servers.as_owner(location.database) as connection:
        rows = connection.execute(
            f"SELECT name FROM \"{location.schema}\".django_migrations WHERE name LIKE 'later%' ORDER BY id"
        )
        return [name for (name,) in rows.fetchall()]


def columns(location: SchemaLocation, table: str = "projects_project") -> set[str]:
    with servers.as_owner(location.database) as connection:
        query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
        return {name for (name,) in connection.execute(query, [location.schema, table]).fetchall()}


def location_of(organization: Organization) -> SchemaLocation:
    home = (organization.home.alias, organization.home.schema)
    return next(location for location in all_locations() if (location.database or "default", location.schema) == home)


def roll_back(location: SchemaLocation) -> None:
    """Take the notes of later releases out of a location that other tests use."""
    with servers.as_owner(location.database) as connection:
        connection.execute(f"DELETE FROM \"{location.schema}\".django_migrations WHERE name LIKE 'later%'")
        connection.execute(
            "UPDATE platform.schema_ledger SET fingerprint = %s WHERE schema = %s",
            [this_release().fingerprint, location.schema],
        )


@contextmanager
def rolled_back(location: SchemaLocation) -> Iterator[None]:
    try:
        yield
    finally:
        roll_back(location)
