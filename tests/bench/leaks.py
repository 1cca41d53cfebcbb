"""Whether tenants see each other's rows when threads and connections are shared."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.support import pooler

from .report import Aim, measured, say, skipped
from .servers import Servers
from .worker import Worker

NAME = "leaks"
HOW: dict[str, Any] = {"threads": 8, "units": 1200}
OUR_TENANTS = {"pooled": 6, "own_schema": 2}
STOCK_TENANTS = {"tenants": 8}
LEAKS = ("foreign_reads", "misplaced_rows")
ERRORS = ("errors", "invisible_rows", "lost_rows", "revived_rows")
PROJECTS = ("ours", "stock")
ROUNDS = 3
POOL_SIZE = 4  # fewer than threads, so that they share


@dataclass(frozen=True)
class Results:
    """What several rounds of one project came to."""

    rounds: list[dict[str, Any]]

    @property
    def leaks(self) -> int:
        """Reads that showed another tenant's row, and rows that lie in another tenant's place."""
        return sum(self._total(name) for name in LEAKS)

    @property
    def errors(self) -> int:
        """Units that raised, and rows that were missing or came back."""
        return sum(self._total(name) for name in ERRORS)

    @property
    def speed(self) -> float:
        """The median of the units done in a second."""
        return median(result["units"] / result["seconds"] for result in self.rounds)

    def details(self) -> dict[str, Any]:
        """What leaks and errors consist of, and the text of the first error."""
        totals = {name: self._total(name) for name in (*LEAKS, *ERRORS)}
        first = next((result["first_error"] for result in self.rounds if result["first_error"]), "")
        return totals | {"first_error": first}

    def _total(self, name: str) -> int:
        return sum(int(result[name]) for result in self.rounds)


def run(servers: Servers) -> None:
    """The same units of work straight to PostgreSQL and through PgBouncer, by both projects."""
    servers.create_databases(ours=["ours_leaks"], stock=["stock_leaks"])
    for project in PROJECTS:
        with _worker(servers, project, None) as worker:
            worker.call("prepare")
            worker.call("found_leak_tenants", **_tenants(project))
    _report("direct", _measure(servers, None))
    if pooler.find() is None:
        skipped(f"{NAME} through PgBouncer", pooler.MISSING)
        return
    urls = servers.variables["DATABASE_URL"], servers.stock_url
    with pooler.running(*urls, default_pool_size=POOL_SIZE) as port:
        results = _measure(servers, port)
    _report("PgBouncer", results)


def _worker(servers: Servers, project: str, port: int | None) -> Worker:
    path = "direct" if port is None else "pgbouncer"
    environments = {"ours": servers.ours, "stock": servers.stock}
    environment = environments[project](f"{project}_leaks", port=port)
    return Worker(project, environment, name=f"{NAME}-{project}-{path}")


def _tenants(project: str) -> dict[str, int]:
    return OUR_TENANTS if project == "ours" else STOCK_TENANTS


def _measure(servers: Servers, port: int | None) -> dict[str, Results]:
    """Let the projects take turns, so that other load on the machine meets both."""
    results = {project: Results([]) for project in PROJECTS}
    for _ in range(ROUNDS):
        for project in PROJECTS:
            say(f"{NAME}: {project} {'direct' if port is None else 'through PgBouncer'}")
            with _worker(servers, project, port) as worker:
                results[project].rounds.append(worker.call("leaks", **_tenants(project), **HOW))
    return results


def _report(path: str, results: dict[str, Results]) -> None:
    ours, stock = results["ours"], results["stock"]
    details = {"rounds": ROUNDS, "details": ours.details(), "baseline_details": stock.details()}
    for case, value, baseline in (
        ("leaks", ours.leaks, stock.leaks),
        ("errors", ours.errors, stock.errors),
    ):
        measured(NAME, f"{path}, {case}", value, "count", baseline=baseline, aim=Aim(0), **HOW, **details)
    case, speed = f"{path}, throughput", ours.speed
    measured(NAME, case, speed, "units/s", baseline=stock.speed, rounds=ROUNDS, **HOW)
