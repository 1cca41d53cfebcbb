"""How far each wall of a database server is, what to do when one is near, and which settings are too small."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.tenancy.outbox import Backlog
from apps.tenancy.postgresql.base import SCHEMAS_PER_CONNECTION

from . import measuring
from .measuring import Machine, Places, Server
from .unsealed import LastSweep, last_sweep

NEAR, CLOSE = 70, 90  # percent
FINE, UNKNOWN = "fine", "unknown"

LONGEST_TRANSACTIONS = 2**31  # ids: then the server refuses to write
OUTBOX_SECONDS = 60
SWEEP_LATE_SECONDS = 300
NEW_CONNECTION_BYTES, KNOWN_SCHEMA_BYTES = 2 * 2**20, 145_000  # of a server process; see decision 0025
LOCKS_IN_STEPS_OF = 64
MANY_FILES = 50_000  # to sync one by one takes two seconds after a crash
SPARE_LOCKS = 1.25


@dataclass(frozen=True)
class ServerWall:
    """One thing that ends: what there is of it, and what there can be. Neither need be known from here."""

    name: str
    unit: str
    value: float
    limit: float | None
    each: float = 0.0  # what one more organization takes of it; 0 if it is none that does
    advice: str = ""

    @property
    def percent(self) -> int | None:
        if self.limit is None:
            return None
        return math.floor(100 * self.value / self.limit) if self.limit > 0 else 100

    @property
    def state(self) -> str:
        if self.percent is None:
            return UNKNOWN
        return "close" if self.percent >= CLOSE else "near" if self.percent >= NEAR else FINE

    @property
    def organizations_left(self) -> int | None:
        if self.limit is None or not self.each:
            return None
        return max(math.floor((self.limit - self.value) / self.each), 0)

    @property
    def is_near(self) -> bool:
        return self.state not in (FINE, UNKNOWN)

    def as_json(self) -> dict[str, Any]:
        return {
            "wall": self.name,
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "percent": self.percent,
            "state": self.state,
            "organizations_left": self.organizations_left,
            "advice": self.advice if self.is_near else "",
        }


@dataclass(frozen=True)
class SmallSetting:
    """A setting of the server that does not suit what is on it."""

    name: str
    present: str
    wanted: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} is {self.present}; set it to {self.wanted}: {self.reason}"


@dataclass(frozen=True)
class Report:
    """The walls of one server, the nearest first, and its settings that are too small."""

    server: str
    schemas: int
    walls: list[ServerWall]
    small: list[SmallSetting]

    @property
    def is_fine(self) -> bool:
        return not self.small and not any(wall.is_near for wall in self.walls)

    def as_json(self) -> dict[str, Any]:
        small = [{"setting": s.name, "present": s.present, "wanted": s.wanted, "reason": s.reason} for s in self.small]
        walls = [wall.as_json() for wall in self.walls]
        return {"server": self.server, "schemas": self.schemas, "walls": walls, "settings": small, "fine": self.is_fine}


def capacity() -> list[Report]:
    """A report for each server; as yet there is one, on which the databases of single organizations are, too."""
    server, machine = measuring.server(), measuring.machine()
    walls = [
        *_placement_walls(measuring.places()),
        *_server_walls(server),
        *_machine_walls(server, machine),
        _sealing(last_sweep()),
        _outbox(measuring.waiting_events()),
    ]
    walls.sort(key=lambda wall: -1 if wall.percent is None else wall.percent, reverse=True)
    return [Report(measuring.address(), server.schemas, walls, small_settings(server))]


def small_settings(server: Server) -> list[SmallSetting]:
    """What to change in the server's configuration for what is on it now."""
    found = []
    if server.lockable * SPARE_LOCKS > server.locks_each * server.lockers:
        reason = f"a dump locks all {server.lockable} tables and sequences at once"
        wanted = str(locks_wanted(server))
        found.append(SmallSetting("max_locks_per_transaction", str(server.locks_each), wanted, reason))
    if server.is_linux and server.sync_method == "fsync" and server.files > MANY_FILES:
        reason = f"a start after a crash syncs {server.files} files one by one"
        found.append(SmallSetting("recovery_init_sync_method", "fsync", "syncfs", reason))
    if server.catalog_bytes > server.cache_bytes:
        reason = "the catalog alone is larger than what the planner takes the memory for files to be"
        found.append(
            SmallSetting("effective_cache_size", _size(server.cache_bytes), _size(2 * server.catalog_bytes), reason)
        )
    if not server.vacuums:
        reason = f"nobody else vacuums {server.lockable} tables, and the server stops before its transaction ids end"
        found.append(SmallSetting("autovacuum", "off", "on", reason))
    return found


def locks_wanted(server: Server) -> int:
    """max_locks_per_transaction with which there may be twice as many tables."""
    each = 2 * server.lockable / server.lockers
    return math.ceil(each / LOCKS_IN_STEPS_OF) * LOCKS_IN_STEPS_OF


def _placement_walls(places: Places) -> list[ServerWall]:
    limits = "or make room on another server"
    return [
        ServerWall(
            "schemas of their own",
            "schemas",
            places.own_schemas,
            settings.SCHEMA_LIMIT,
            1,
            f"Further organizations go to pools; raise SCHEMA_LIMIT if the other walls are far, {limits}.",
        ),
        ServerWall(
            "places in pools",
            "places",
            places.in_pools,
            places.pool_places,
            1,
            f"Without a place nobody can sign up: raise POOL_LIMIT or POOL_CAPACITY, {limits}.",
        ),
    ]


def _server_walls(server: Server) -> list[ServerWall]:
    return [
        ServerWall(
            "locks of a dump",
            "locks",
            server.lockable,
            server.locks_each * server.lockers,
            server.each(server.lockable),
            f"pg_dump fails beyond it: set max_locks_per_transaction to {locks_wanted(server)} and restart the server.",
        ),
        ServerWall(
            "catalog in memory",
            "bytes",
            server.catalog_bytes,
            server.cache_bytes,
            server.each(server.catalog_bytes),
            "Give the machine more memory and raise effective_cache_size, or place new organizations in pools.",
        ),
        ServerWall(
            "connections",
            "connections",
            server.connections,
            server.connections_limit,
            0,
            "Set DATABASE_POOL_SIZE, put PgBouncer before the server, or raise max_connections.",
        ),
        ServerWall(
            "transaction ids",
            "ids",
            server.transaction_age,
            LONGEST_TRANSACTIONS,
            0,
            "Autovacuum does not keep up: raise autovacuum_max_workers and autovacuum_vacuum_cost_limit.",
        ),
    ]


def _machine_walls(server: Server, machine: Machine | None) -> list[ServerWall]:
    known_schemas = min(server.schemas, SCHEMAS_PER_CONNECTION)
    process = NEW_CONNECTION_BYTES + KNOWN_SCHEMA_BYTES * known_schemas
    memory = ServerWall(
        "memory of connections",
        "bytes",
        process * server.connections_limit,
        max(machine.memory - server.buffer_bytes, 0) if machine else None,
        0,
        "If all connections were used, memory would end: lower max_connections, or put PgBouncer before the server.",
    )
    files = ServerWall(
        "files",
        "files",
        machine.inodes_used if machine else server.files,
        (machine.inodes or None) if machine else None,
        server.each(server.files),
        "The disk can name no more files: move the server to one with more inodes, or place organizations in pools.",
    )
    disk = ServerWall(
        "disk",
        "bytes",
        machine.disk_used if machine else server.bytes,
        machine.disk if machine else None,
        server.each(server.bytes),
        "Free space, or move the server to a larger disk: it stops when there is none.",
    )
    return [memory, files, disk]


def _sealing(sweep: LastSweep | None) -> ServerWall:
    """Of the seconds that a sweep has, those that the last one needed; if none came since, how long ago that was."""
    if sweep is None:
        return ServerWall("sealing", "seconds", 0, None)
    late = sweep.seconds_ago > SWEEP_LATE_SECONDS
    return ServerWall(
        "sealing",
        "seconds",
        sweep.seconds_ago if late else sweep.seconds,
        sweep.limit,
        0,
        "No sweep has come to its end lately: look after the workers and beat."
        if late
        else "Sealing needs nearly all of its minute, and beyond it events wait for the next: use a faster machine.",
    )


def _outbox(backlog: Backlog) -> ServerWall:
    return ServerWall(
        "outbox",
        "seconds",
        round(backlog.lag_seconds, 1),
        OUTBOX_SECONDS,
        0,
        f"{backlog.waiting} events wait: look after the relay, and add workers.",
    )


def _size(size: float) -> str:
    return f"{math.ceil(size / 2**20)}MB"
