"""What it costs a server to serve many organizations instead of one: waiting time, memory."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import psycopg

from . import web
from .load import Stream
from .report import Aim, measured, say
from .servers import Servers
from .worker import Worker

NAME = "growth"
PATH = "/api/v1/projects"
CROWDS = (1, 100, 500, 2000)
RATE = 50.0  # a second: far below what the machine can do, so that nothing waits in line
SECONDS = 40.0
WARM_UP_ROUNDS, WARM_UP_RATE, WARM_UP_SECONDS = 6, 200.0, 5.0  # rounds: each process is to have met everybody
FLAT = Aim(at_most=1.15)
UNLIMITED = {"REQUESTS_PER_MINUTE_USER": "100000000", "REQUESTS_PER_MINUTE_ADDRESS": "100000000", "LOG_LEVEL": "ERROR"}
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Level:
    """A server that serves so many organizations in turn: waiting times in ms, memory in MiB."""

    organizations: int
    p50: float
    p95: float
    worker: float
    database: float


def run(servers: Servers) -> None:
    """The same load on one server, first for one organization, then for more in turn; each after warming up."""
    servers.create_databases(ours=["ours_growth"], stock=[])
    environment = servers.ours("ours_growth")
    with Worker("ours", environment, name=NAME) as worker:
        say(f"{NAME}: creating {CROWDS[-1]} organizations")
        worker.call("prepare")
        worker.call("crowd", number=CROWDS[-1])
        with web.serving(web.OUR_APPLICATION, environment | UNLIMITED, name=NAME) as served:
            first, *others = [_level(served, environment, worker.call("crowd", number=number)) for number in CROWDS]
    for level in others:
        _compare(first, level)


def _level(served: web.Served, environment: dict[str, str], crowd: list[dict[str, str]]) -> Level:
    headers = [{"Host": one["host"], "Authorization": f"Bearer {one['token']}"} for one in crowd]
    warm_up = max(WARM_UP_SECONDS, WARM_UP_ROUNDS * len(crowd) / WARM_UP_RATE)
    Stream(served.port, PATH, headers, WARM_UP_RATE).run(warm_up)
    stream = Stream(served.port, PATH, headers, RATE).run(SECONDS)
    assert set(stream.statuses) == {200}, stream.statuses
    worker, database = max(one["rss"] for one in served.memory()), max(_server_memory(environment))
    level = Level(len(crowd), stream.p(50), stream.p(95), worker, database)
    say(f"{NAME}: {level}")
    return level


def _compare(one: Level, many: Level) -> None:
    case = f"{many.organizations} organizations"
    measured(NAME, f"p50, {case}", many.p50, "ms", baseline=one.p50, baseline_is="one organization")
    measured(NAME, f"p95, {case}", many.p95, "ms", baseline=one.p95, baseline_is="one organization")
    measured(NAME, f"p95, {case} by one", many.p95 / one.p95, "x", aim=FLAT)
    measured(NAME, f"largest web worker, {case}", many.worker, "MiB", baseline=one.worker)
    measured(NAME, f"largest web worker, {case} by one", many.worker / one.worker, "x", aim=FLAT)
    measured(NAME, f"largest server process, {case}", many.database, "MiB", baseline=one.database)


def _server_memory(environment: dict[str, str]) -> list[float]:
    """MiB that each of the database's processes that serve the application has for itself."""
    user = urlsplit(environment["DATABASE_URL"]).username
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND datname = current_database()"
        processes = connection.execute(query, [user]).fetchall()
    return [round(psutil.Process(pid).memory_full_info().uss / MEBIBYTE, 1) for (pid,) in processes]
