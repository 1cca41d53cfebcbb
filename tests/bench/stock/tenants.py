"""Creating tenants the stock way, and making up many of them quickly."""

from __future__ import annotations

import time
from secrets import token_hex

from django.core.management import call_command
from django.db import connection

from .customers.models import Client, Domain

FILLED_TABLES = (MIGRATIONS, PROJECTS, DOCUMENTS) = (
    "django_migrations",
    "projects_project",
    "projects_document",
)


def prepare() -> None:
    """Migrate the public schema and make its tenant."""
    call_command("migrate_schemas", shared=True, verbosity=0)
    if not Client.objects.filter(schema_name="public").exists():
        Client.objects.create(schema_name="public", name="public")


def create_organization(label: str) -> Client:
    """The tenant with this schema and host name; made with its schema unless it is there."""
    client = Client.objects.filter(schema_name=label).first()
    if client is None:
        client = Client(schema_name=label, name=label)
        client.save(verbosity=0)
        Domain.objects.create(tenant=client, domain=host(label), is_primary=True)
    return client


def host(label: str) -> str:
    """The host name of a tenant."""
    return f"{label.replace('_', '-')}.localhost"


def fill(tenants: int) -> int:
    """Have so many tenants: the first one real, the others with copies of its tables. Returns their number."""
    first = create_organization("filler_0000")
    for number in range(1, tenants):
        schema = f"filler_{number:04d}"
        like = f"LIKE {first.schema_name}"
        copies = [f"CREATE TABLE {schema}.{t} ({like}.{t} INCLUDING ALL)" for t in FILLED_TABLES]
        key = f"ALTER TABLE {schema}.{DOCUMENTS} ADD FOREIGN KEY (project_id) REFERENCES {schema}.{PROJECTS}"
        rows = f"INSERT INTO {schema}.{MIGRATIONS} SELECT * FROM {first.schema_name}.{MIGRATIONS}"
        further = f"SELECT setval(pg_get_serial_sequence('{schema}.{MIGRATIONS}', 'id'), 1000)"
        with connection.cursor() as cursor:
            cursor.execute(";".join([f"CREATE SCHEMA {schema}", *copies, key, rows, further]))
        Client.objects.bulk_create([Client(schema_name=schema, name=schema)])
        client = Client.objects.get(schema_name=schema)
        Domain.objects.create(tenant=client, domain=host(schema), is_primary=True)
    return Client.objects.exclude(schema_name="public").count()


def save_times(samples: int) -> list[float]:
    """Milliseconds that ``Client.save()`` takes; each tenant is removed again."""
    times = []
    for _ in range(samples):
        client = Client(schema_name=f"t_{token_hex(8)}", name="Sample")
        began = time.perf_counter()
        client.save(verbosity=0)
        times.append((time.perf_counter() - began) * 1000)
        client.delete(force_drop=True)
    return times
