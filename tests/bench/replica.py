"""How long a commit takes to be seen on a streaming replica, and what reading from one does to a page of projects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg

from deploy.local.replica import EmbeddedReplica
from tests.support.pooler import through

from . import listing, web, wrk
from .report import measured, percentile, say, skipped
from .servers import DATA_DIR, Servers
from .worker import Worker

NAME = "replica"
DATABASE = "ours_replica"
COMMITS, WRITERS = 500, 2
SECONDS, ROUNDS = 10, 2
VARIABLE = "DATABASE_REPLICA_URL"


def run(servers: Servers) -> None:
    """Both servers are on this machine: the replica takes its share of the same processors."""
    servers.create_databases(ours=[DATABASE], stock=[])
    environment = servers.ours(DATABASE) | listing.OURS_AS_RUN
    with Worker("ours", environment, name=f"{NAME}-ours") as worker:
        worker.call("prepare")
        worker.call("listing", rows=listing.ROWS)
        _make_tables(environment["DATABASE_OWNER_URL"])
        follower = EmbeddedReplica(DATA_DIR)
        port = follower.follow(durable=True)
        try:
            _measure_lag(environment["DATABASE_OWNER_URL"], port)
            _measure_requests(worker, environment, through(port, environment["DATABASE_URL"]))
        finally:
            follower.remove()


def _make_tables(primary: str) -> None:
    with psycopg.connect(primary, autocommit=True) as connection:
        connection.execute("CREATE TABLE seen (number bigint PRIMARY KEY)")
        connection.execute("CREATE TABLE noise (text text)")


def _measure_lag(primary: str, port: int) -> None:
    _report_lag("nobody else writing", _lags(primary, port, start=0))
    with _noise(primary):
        _report_lag(f"{WRITERS} others writing", _lags(primary, port, start=COMMITS))


def _lags(primary: str, port: int, *, start: int) -> list[float]:
    """Milliseconds from the answer to each commit until the replica shows its row."""
    found = []
    with psycopg.connect(primary, autocommit=True) as writer:
        with psycopg.connect(through(port, primary), autocommit=True) as reader:
            for number in range(start, start + COMMITS):
                writer.execute("INSERT INTO seen VALUES (%s)", [number])
                committed = time.perf_counter()
                while not reader.execute("SELECT 1 FROM seen WHERE number = %s", [number]).fetchone():
                    pass
                found.append((time.perf_counter() - committed) * 1000)
    return found


def _report_lag(case: str, lags: list[float]) -> None:
    for name, value in (("p50", 50), ("p95", 95), ("slowest", 100)):
        measured(NAME, f"lag from commit to sight, {case}, {name}", percentile(lags, value), "ms", commits=COMMITS)


@contextmanager
def _noise(primary: str) -> Iterator[None]:
    stop = Event()

    def write() -> None:
        with psycopg.connect(primary, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO noise SELECT repeat('x', 200) FROM generate_series(1, 20)")

    writers = [Thread(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def _measure_requests(worker: Worker, environment: dict[str, str], replica_url: str) -> None:
    program = wrk.find()
    if program is None:
        skipped(f"{NAME} requests", "wrk is not installed (apt-get install wrk)")
        return
    cases = {"without": environment, "with": environment | {VARIABLE: replica_url}}
    runs: dict[str, list[wrk.Run]] = {case: [] for case in cases}
    on_replica = dict.fromkeys(cases, 0)
    for _ in range(ROUNDS):
        for case, variables in cases.items():
            with web.serving(web.OUR_APPLICATION, variables, name=f"{NAME}-{case}") as served:
                site = listing.Site("ours", served, worker)
                headers, url = site.headers(), f"http://127.0.0.1:{served.port}{listing.PATH}"
                site.check(headers)
                wrk.run(program, url, headers, connections=listing.FEW, seconds=listing.WARM_UP_SECONDS)
                before = _transactions(replica_url)
                runs[case].append(wrk.run(program, url, headers, connections=listing.FEW, seconds=SECONDS))
                on_replica[case] += _transactions(replica_url) - before
                say(f"{NAME}: {case} a replica {runs[case][-1].rate:.0f}/s")
    best = {case: max(some, key=lambda one: one.rate) for case, some in runs.items()}
    title = f"GET {listing.PATH}, {listing.PAGE} rows, token, {listing.FEW} connections, read from a replica"
    plain, replicated = best["without"], best["with"]
    details = {"failures": replicated.failures, "transactions_on_replica": on_replica}
    measured(NAME, f"{title}, throughput", replicated.rate, "requests/s", baseline=plain.rate, **details)
    for name in ("p50", "p95"):
        measured(NAME, f"{title}, {name}", getattr(replicated, name), "ms", baseline=getattr(plain, name))


def _transactions(replica_url: str) -> int:
    """How many the replica has carried out in the database; servers tell about once a second."""
    with psycopg.connect(replica_url, autocommit=True) as connection:
        query = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        [(number,)] = connection.execute(query).fetchall()
    return int(number)
