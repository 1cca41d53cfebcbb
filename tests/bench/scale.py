"""What many organizations on one server cost it: founding them, and whatever looks at all of them.

SCALE says how many (2,000); what is printed for 10,000 is in docs/scale.md.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg

from .report import Aim, measured, say
from .servers import Servers
from .worker import Worker

NAME = "scale"
DATABASE = "ours_scale"
ORGANIZATIONS = int(os.environ.get("SCALE", "2000"))
ACTIVE = 4000  # at the most, of which the audit logs are to be sealed
STEP = 200
MEBIBYTE = 2**20
SAMPLE_SECONDS = 0.1
BACKEND, STATEMENTS, LAG = Aim(at_most=150), Aim(at_most=50), Aim(at_most=60)
COMMANDS = (
    "migrate_fleet",
    "fleet_status",
    "fleet_status --deep",
    "verify_isolation --check catalog",
    "list_tenants",
    "capacity",
)
SIZES = {
    "schemas": "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^(t|pool)_'",
    "tables": "SELECT count(*) FROM pg_class WHERE relkind = 'r'",
    "indexes": "SELECT count(*) FROM pg_class WHERE relkind = 'i'",
    "MiB of catalogs": f"SELECT sum(pg_total_relation_size(oid)) / {MEBIBYTE} FROM pg_class "
    "WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'",
    "MiB in all": f"SELECT pg_database_size(current_database()) / {MEBIBYTE}",
}


def run(servers: Servers) -> None:
    servers.create_databases(ours=[DATABASE], stock=[])
    environment = servers.ours(DATABASE) | {"LOG_LEVEL": "ERROR"}
    with Worker("ours", environment, name=NAME) as worker:
        worker.call("prepare")
        _fill(worker)
        _report_sizes(environment)
        worker.call("settle")
        for job in worker.call("jobs"):
            _report(f"the job {job.rpartition('.')[2]}, all quiet", worker, "run_job", aim=STATEMENTS, job=job)
        for line in COMMANDS:
            _report(f"manage.py {line}", worker, "run_command", line=line.split())
        _report_sealing(worker)


def _fill(worker: Worker) -> None:
    seconds = 0.0
    for first in range(0, ORGANIZATIONS, STEP):
        seconds += worker.call("found", first=first, last=min(first + STEP, ORGANIZATIONS))
        say(f"{NAME}: {first + STEP} organizations in {seconds:.0f} s")
    measured(NAME, f"founding {ORGANIZATIONS} organizations", seconds, "s")


def _report_sizes(environment: dict[str, str]) -> None:
    with psycopg.connect(environment["DATABASE_OWNER_URL"]) as connection:
        for what, query in SIZES.items():
            row = connection.execute(query.encode()).fetchone()
            measured(NAME, f"{ORGANIZATIONS} organizations, {what}", float(row[0]) if row else 0.0, what.split()[0])


def _report(case: str, worker: Worker, action: str, *, aim: Aim | None = None, **arguments: Any) -> None:
    """The cost of a job or command, and how large the server processes became that it used."""
    with Backends() as backends:
        cost = worker.call(action, **arguments)
    case = f"{ORGANIZATIONS} organizations, {case}"
    measured(NAME, f"{case}, time", cost["seconds"], "s")
    measured(NAME, f"{case}, processor time", cost["processor"], "s")
    measured(NAME, f"{case}, statements", cost["statements"], "statements", aim=aim)
    backends.report(case)


def _report_sealing(worker: Worker) -> None:
    """The logs of many active organizations at once: how long until the last of them is sealed."""
    active = min(ACTIVE, ORGANIZATIONS)
    worker.call("act", number=active)
    began, sweeps = time.monotonic(), 0
    with Backends() as backends:
        while worker.call("unsealed") and sweeps < 10:
            worker.call("run_job", job="apps.operations.tasks.seal_audit_logs")
            sweeps += 1
    case = f"{ORGANIZATIONS} organizations, {active} with something new"
    measured(NAME, f"{case}, until all is sealed", time.monotonic() - began, "s", aim=LAG, sweeps=sweeps)
    backends.report(case)


class Backends:
    """Watches the server processes of the database; ``largest`` is the most memory that one has had for itself."""

    def __init__(self) -> None:
        self.largest = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def report(self, case: str) -> None:
        """Unless what was done was over before anybody looked."""
        if self.largest:
            measured(NAME, f"{case}, largest server process", self.largest, "MiB", aim=BACKEND)

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.largest = max([self.largest, *(_own_memory(process) for process in _processes())])


def _processes() -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [one for one in found if one.info["cmdline"] and f" {DATABASE} " in one.info["cmdline"][0]]


def _own_memory(process: psutil.Process) -> float:
    """MiB, without the shared buffers that it has touched."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps").read_text().splitlines()
    except OSError:  # it has ended
        return 0.0
    kibibytes, is_shared = 0, False
    for line in lines:
        name, value = line.split()[:2]
        if "-" in name:
            is_shared = value.endswith("s")
        elif name.startswith("Private_") and not is_shared:
            kibibytes += int(value)
    return kibibytes / 1024
