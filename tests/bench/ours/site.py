"""Our project's side of the leak benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import close_old_connections, connections
from psycopg import sql

from apps.projects.models import Project
from apps.tenancy.context import control, current_tenant, use
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Tenant

from . import tenants


class OurSite:
    """Tenants of which some have their own schema and the others share a pool."""

    def __init__(self, pooled: int, own_schema: int) -> None:
        self._kinds = {f"leak-{n}": "pool" if n < pooled else "schema" for n in range(pooled + own_schema)}
        self.labels = list(self._kinds)
        with control("bench"):
            found = Tenant.objects.filter(slug__in=self.labels)
            self._ids: dict[str, UUID] = dict(found.values_list("slug", "id"))

    def create_organization(self) -> None:
        """Make the tenants."""
        for label, kind in self._kinds.items():
            tenants.create_organization(label, kind)

    @contextmanager
    def enter(self, label: str) -> Iterator[None]:
        with use(Tenant.context_for_id(self._ids[label])):
            yield

    def atomic(self) -> AbstractContextManager[Any]:
        return atomic()

    def insert(self, name: str) -> None:
        Project.objects.create(name=name)

    def read(self, *, raw: bool) -> list[str]:
        if not raw:
            return [project.name for project in Project.objects.all()]
        with connections[current_tenant().alias].cursor() as cursor:
            cursor.execute("SELECT name FROM projects_project")
            return [row[0] for row in cursor.fetchall()]

    def after_error(self) -> None:
        close_old_connections()

    def take_rows(self) -> list[tuple[str, str]]:
        labels = {tenant_id: label for label, tenant_id in self._ids.items()}
        with control("bench"):
            schemas = set(Placement.objects.filter(tenant_id__in=labels).values_list("schema", flat=True))
        with psycopg.connect(settings.DATABASE_OPERATOR_URL) as operator:
            return [
                (_home(labels, schema, tenant_id), name)
                for schema in sorted(schemas)
                for tenant_id, name in operator.execute(_take(schema)).fetchall()
            ]


def _home(labels: dict[UUID, str], schema: str, tenant_id: UUID) -> str:
    return labels.get(tenant_id, f"a stranger in {schema}")


def _take(schema: str) -> sql.Composed:
    statement = sql.SQL("DELETE FROM {}.projects_project RETURNING tenant_id, name")
    return statement.format(sql.Identifier(schema))
