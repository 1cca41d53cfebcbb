"""No command and no periodic job has a server process of PostgreSQL grow with the number of schemas."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.audit import services as audit
from apps.audit.actors import SYSTEM
from apps.tenancy.context import control, use
from apps.tenancy.transactions import atomic
from apps.tenants.models import Tenant
from apps.tenants.selectors import all_tenants
from apps.tenants.services import provisioning, schema_store
from tests.support import servers
from tests.support.completeness import assert_complete

pytestmark = pytest.mark.slow

FEW, MANY = 100, 400
SLICE = 50  # so that few are more than one slice, too
MEBIBYTE = 2**20
FLAT, NOISE = 1.25, 2 * MEBIBYTE
LIMIT = 150 * MEBIBYTE

VISITING: dict[str, list[str]] = {
    "fleet_status": [],
    "fleet_status --deep": ["--deep", "--json"],
    "capacity": [],
    "list_tenants": [],
    "lint_migrations": [],
    "migrate_fleet": ["--json"],
    "migrate_fleet --plan": ["--plan"],
    "migrate_fleet --dry-run": ["--dry-run"],
    "migrate_fleet --tenant": ["--tenant", "grown-0"],
    "migrate_schemas": [],
    "replenish_schemas": [],
    "setup_roles": [],
    "verify_audit_chain": ["--json"],
    "verify_isolation": ["--json", "--check", "catalog"],
}
OTHERS = {
    "build_css": "asks no database",
    "build_messages": "asks no database",
    "collect_messages": "asks no database",
    "scaffold": "asks no database",
    "create_staff": "is about one person",
    "deactivate_person": "is about one person",
    "dismiss_staff": "is about one person",
    "export_audit_log": "is about one organization",
    "hold_tenant": "is about one organization",
    "look_up_anew": "is about one organization, or asks memory only",
    "provision_tenant": "is about one organization",
    "release_tenant": "is about one organization",
    "relay": "runs until it is told to stop, and asks outboxes only",
    "rotate_signing_keys": "is about the platform's keys",
    "seed_demo": "is about three organizations",
    "set_pool": "is about one pool",
    "set_replica": "is about one organization",
    "tenant_command": "is about one organization",
}
JOBS = sorted({entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()})


def commands() -> set[str]:
    found = set()
    for config in apps.get_app_configs():
        if config.name.startswith("apps."):
            found |= {path.stem for path in Path(config.path, "management", "commands").glob("[a-z]*.py")}
    return found


def test_commands__all__are_tried_below_or_say_why_not():
    tried = {name.split()[0] for name in VISITING}

    assert_complete(tried | set(OTHERS), commands(), table="tests/slow/test_backend_memory.py:VISITING or OTHERS")


class Backends:
    """The most memory that a server process has had for itself, without what all share: looked at often and in the end.

    What it has learned it keeps, so that the end tells most; what a statement needs for a moment is seen meanwhile.
    """

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        thread = threading.Thread(target=self._watch)
        thread.start()
        try:
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(psycopg.Connection, "close", self._before(psycopg.Connection.close))
                yield
        finally:
            self._over.set()
            thread.join()

    def _before(self, close: Callable[[psycopg.Connection], None]) -> Callable[[psycopg.Connection], None]:
        def looked_at(connection: psycopg.Connection) -> None:
            if not connection.closed:
                self.most = max(self.most, own_memory(connection.info.backend_pid))
            close(connection)

        return looked_at

    def _watch(self) -> None:
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with servers.connect_url(servers.administrator_url()) as connection:
            while not self._over.wait(0.01):
                for (pid,) in connection.execute(query).fetchall():
                    self.most = max(self.most, own_memory(pid))


def own_memory(pid: int) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def most_memory(act: Callable[[], object]) -> int:
    connections.close_all()
    servers.forget_connections()
    backends = Backends()
    with backends.watched():
        with suppress(SystemExit):
            act()
        connections.close_all()
    return backends.most


def carry_out(name: str) -> None:
    if name in JOBS:
        with use(None):
            current_app.tasks[name].apply().get()
        return
    forget_releases()
    call_command(name.split()[0], *VISITING[name], stdout=io.StringIO(), stderr=io.StringIO())


def forget_releases() -> None:
    """Every schema is to be looked into: the ledger knows none of them."""
    with servers.as_owner() as connection:
        connection.execute("UPDATE platform.schema_ledger SET fingerprint = '' WHERE schema ~ '^(t|pool)_'")


def grow(number: int) -> None:
    """So many schemas, half of them of organizations in whose logs something new is."""
    with control("grow"):
        there = Tenant.objects.filter(slug__startswith="grown-").count()
    schema_store.replenish(schemas=number - there)
    for one in range(there, number // 2):
        with control("grow"), atomic():
            provisioning.open_tenant(name=f"Grown {one}", kind="schema")
    for tenant in all_tenants():
        with use(tenant.context()), atomic():
            audit.record("project.created", actor=SYSTEM, resource=tenant)
    connections.close_all()


@pytest.fixture(scope="module")
def measured(platform, django_db_blocker) -> dict[str, tuple[int, int]]:
    """The most memory of a server process with few schemas and with many, by what was carried out."""
    current_app.loader.import_default_modules()
    patched = pytest.MonkeyPatch()
    for module in ("apps.tenancy.postgresql.base", "apps.tenancy.schemas.slices", "apps.fleet.migrator"):
        patched.setattr(f"{module}.SCHEMAS_PER_CONNECTION", SLICE)
    found: dict[str, list[int]] = {name: [] for name in (*VISITING, *JOBS)}
    try:
        for number in (FEW, MANY):
            grow(number)
            for name, memory in found.items():
                memory.append(most_memory(lambda name=name: carry_out(name)))
    finally:
        patched.undo()
    return {name: (few, many) for name, (few, many) in found.items()}


@pytest.mark.parametrize("name", [*VISITING, *JOBS])
def test_memory__of_any_server_process__does_not_grow_with_the_number_of_schemas(measured, name):
    few, many = measured[name]

    print(f"{name}: {few / MEBIBYTE:.1f} MiB with {FEW} schemas, {many / MEBIBYTE:.1f} MiB with {MANY}")
    assert many <= few * FLAT + NOISE
    assert many <= LIMIT
