"""What it costs a server to serve many organizations instead of one: waiting time, memory."""

from __future__ import annotations

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
MANY = 2000
RATE = 50.0  # a second: far below what the machine can do, so that nothing waits in line
WARM_UP_SECONDS, SECONDS = MANY / RATE + 5, 40.0
FLAT = Aim(at_most=1.15)
UNLIMITED = {"REQUESTS_PER_MINUTE_USER": "100000000", "REQUESTS_PER_MINUTE_ADDRESS": "100000000", "LOG_LEVEL": "ERROR"}
MEBIBYTE = 2**20


def run(servers: Servers) -> None:
    """The same load on one server, first for one organization, then for many in turn; each after warming up."""
    servers.create_databases(ours=["ours_growth"], stock=[])
    environment = servers.ours("ours_growth")
    with Worker("ours", environment, name=NAME) as worker:
        say(f"{NAME}: founding {MANY} organizations")
        worker.call("prepare")
        worker.call("crowd", number=MANY)
        with web.serving(web.OUR_APPLICATION, environment | UNLIMITED, name=NAME) as served:
            waits, workers, server = [], [], []
            for number in (1, MANY):
                crowd = worker.call("crowd", number=number)
                headers = [{"Host": one["host"], "Authorization": f"Bearer {one['token']}"} for one in crowd]
                say(f"{NAME}: {number} organizations")
                Stream(served.port, PATH, headers, RATE).run(WARM_UP_SECONDS)
                stream = Stream(served.port, PATH, headers, RATE).run(SECONDS)
                assert set(stream.statuses) == {200}, stream.statuses
                waits.append(stream)
                workers.append(max(one["rss"] for one in served.memory()))
                server.append(_server_memory(environment))
                say(f"{NAME}: p95 {stream.p(95):.1f} ms, worker {workers[-1]:.0f} MiB, server processes {server[-1]}")
    for percent in (50, 95):
        few, many = (stream.p(percent) for stream in waits)
        aim = FLAT if percent == 95 else None
        measured(NAME, f"p{percent}, {MANY} organizations", many, "ms", baseline=few, baseline_is="one organization")
        measured(NAME, f"p{percent}, {MANY} organizations by one", many / few, "x", aim=aim)
    measured(NAME, f"largest web worker, {MANY} organizations by one", workers[1] / workers[0], "x", aim=FLAT)
    measured(NAME, f"largest web worker, {MANY} organizations", workers[1], "MiB", baseline=workers[0])
    measured(NAME, f"largest server process, {MANY} organizations", max(server[1]), "MiB", baseline=max(server[0]))


def _server_memory(environment: dict[str, str]) -> list[float]:
    """MiB that each of the database's processes that serve the application has for itself."""
    user = urlsplit(environment["DATABASE_URL"]).username
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE usename = %s AND datname = current_database()"
        processes = connection.execute(query, [user]).fetchall()
    return [round(psutil.Process(pid).memory_full_info().uss / MEBIBYTE, 1) for (pid,) in processes]
