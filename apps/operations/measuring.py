"""How much is on the server of the control database, in a number of statements that no organization adds to."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models import F, Sum

from apps.tenancy import outbox
from apps.tenancy.context import CONTROL_ALIAS, control, use
from apps.tenancy.outbox import Backlog
from apps.tenants import room
from apps.tenants.models import Placement, Pool

SERVER = """SELECT current_setting('max_connections')::int AS connections_limit,
    current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int AS lockers,
    current_setting('max_locks_per_transaction')::int AS locks_each,
    current_setting('autovacuum') = 'on' AS vacuums,
    (SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'effective_cache_size') AS cache_bytes,
    (SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers') AS buffer_bytes,
    coalesce(current_setting('recovery_init_sync_method', true), '') AS sync_method,
    version() LIKE '%linux%' AS is_linux,
    (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
    (SELECT max(age(datfrozenxid)) FROM pg_database)::bigint AS transaction_age,
    pg_database_size(current_database()) AS bytes"""
CATALOG = """SELECT count(*) FILTER (WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))::int AS lockable,
    count(*) FILTER (WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname ~ '^(t|pool)_')::int
        AS tenants_lockable,
    count(*) FILTER (WHERE relkind IN ('r', 'i', 't', 'm', 'S'))::int AS files,
    (SELECT count(*) FROM pg_namespace n WHERE n.nspname ~ '^(t|pool)_')::int AS schemas,
    (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
        WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r')::bigint AS catalog_bytes
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"""


@dataclass(frozen=True)
class Server:
    """Settings and contents of a server, as its own statistics have them."""

    connections_limit: int
    lockers: int
    locks_each: int
    vacuums: bool
    cache_bytes: int
    buffer_bytes: int
    sync_method: str
    is_linux: bool
    connections: int
    transaction_age: int
    bytes: int
    lockable: int
    tenants_lockable: int
    files: int
    schemas: int
    catalog_bytes: int

    def each(self, amount: float) -> float:
        """The share of one schema in an amount, of which all tables, the platform's own too, have as much."""
        return amount * self.tenants_lockable / max(self.lockable, 1) / max(self.schemas, 1)


@dataclass(frozen=True)
class Places:
    """Where organizations may live, and how many do."""

    own_schemas: int
    in_pools: int
    pool_places: int


@dataclass(frozen=True)
class Machine:
    """What the server's machine has, where it is this one; of the disk, what others than root may use."""

    disk: int
    disk_used: int
    inodes: int  # 0 where the file system makes them as they are needed
    inodes_used: int
    memory: int


def address() -> str:
    where = connections.databases[CONTROL_ALIAS]
    return f"{where['HOST']}:{where['PORT']}"


def server() -> Server:
    """In no context: the login may ask how large a database is that it may connect to, the roles it becomes may not."""
    with use(None), connections[CONTROL_ALIAS].cursor() as cursor:
        return Server(**_row(cursor, SERVER), **_row(cursor, CATALOG))


def places() -> Places:
    with control("measure capacity"):
        pools = Pool.objects.aggregate(taken=Sum("tenant_count"))
        free = Pool.objects.open().aggregate(places=Sum(F("capacity") - F("tenant_count")))["places"] or 0
        in_pools = pools["taken"] or 0
        to_come = max(room.pools_to_build(), 0) * int(settings.POOL_CAPACITY)
        own = Placement.objects.filter(kind=Placement.Kind.SCHEMA, tenant__isnull=False).count()
        return Places(own, in_pools, in_pools + free + to_come)


def waiting_events() -> Backlog:
    """In the outbox of the control database, which all share that have no database of their own."""
    return outbox.backlog(CONTROL_ALIAS)


def machine() -> Machine | None:
    """None where the server is on another machine, whose disk and memory it does not tell of."""
    if connections.databases[CONTROL_ALIAS]["HOST"] not in ("", "localhost", "127.0.0.1", "::1"):
        return None
    disk, files = shutil.disk_usage(settings.DATA_DIR), os.statvfs(settings.DATA_DIR)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    inodes_used = files.f_files - files.f_ffree
    return Machine(disk.used + disk.free, disk.used, inodes_used + files.f_favail, inodes_used, memory)


def _row(cursor: Any, query: str) -> dict[str, Any]:
    cursor.execute(query)
    names = [column.name for column in cursor.description]
    return dict(zip(names, cursor.fetchone(), strict=True))
