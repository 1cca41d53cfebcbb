"""The stock project's side of the leak benchmark."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
from django.db import close_old_connections, connection, transaction
from django_tenants.utils import tenant_context

from . import tenants
from .customers.models import Client
from .projects.models import Project


class StockSite:
    """Every tenant has its schema, as django-tenants knows it."""

    def __init__(self, count: int) -> None:
        self.labels = [f"leak_{number}" for number in range(count)]

    def create_organization(self) -> None:
        """Make the tenants."""
        for label in self.labels:
            tenants.create_organization(label)

    @contextmanager
    def enter(self, label: str) -> Iterator[None]:
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        with tenant_context(Client.objects.get(schema_name=label)):
            yield

    def atomic(self) -> AbstractContextManager[Any]:
        return transaction.atomic()

    def insert(self, name: str) -> None:
        Project.objects.create(name=name)

    def read(self, *, raw: bool) -> list[str]:
        if not raw:
            return [project.name for project in Project.objects.all()]
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM projects_project")
            return [row[0] for row in cursor.fetchall()]

    def after_error(self) -> None:
        close_old_connections()

    def take_rows(self) -> list[tuple[str, str]]:
        take = "DELETE FROM {}.projects_project RETURNING name"
        with psycopg.connect(os.environ["DATABASE_DIRECT_URL"]) as direct:
            rows = {label: direct.execute(take.format(label)).fetchall() for label in self.labels}
        return [(label, name) for label, names in rows.items() for (name,) in names]
