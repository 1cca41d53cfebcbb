"""How many events a second go from their commit to their effect, and what each costs relay and worker.

An event's task writes one row in its organization's context. The baseline is the same with each event in a message
of its own, as all went before. ``OUTBOX_ORGANIZATIONS`` says how many emit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any
from uuid import uuid4

import psutil
import psycopg

from .report import Aim, measured, percentile, say
from .servers import DATA_DIR, ROOT, Servers
from .worker import Worker

NAME = "outbox"
DATABASE = "ours_outbox"
ALONE, TOGETHER = "bench.alone", "bench.together"
ORGANIZATIONS = int(os.environ.get("OUTBOX_ORGANIZATIONS", "4000"))
BURST, BURST_ALONE, WARM_UP = 10_000, 1_000, 300
RATE, SECONDS = 500, 20
EVENTS_A_SECOND, P95 = Aim(at_least=500), Aim(at_most=2)
START_SECONDS, PATIENCE_SECONDS = 60, 60
TABLE = """CREATE SCHEMA bench; GRANT USAGE ON SCHEMA bench TO app_tenant;
    CREATE TABLE bench.effects (id bigint GENERATED ALWAYS AS IDENTITY, event_id uuid PRIMARY KEY, topic text,
        tenant_id uuid DEFAULT current_setting('app.tenant_id')::uuid, number int, emitted_at float,
        at float DEFAULT extract(epoch FROM clock_timestamp()));
    GRANT INSERT, SELECT ON bench.effects TO app_tenant"""
INSERT = """INSERT INTO platform.outbox (event_id, tenant_id, topic, payload)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::jsonb[])"""


@dataclass
class Machinery:
    """Relay and worker with their processes, and an emitter for the organizations in turn."""

    environment: dict[str, str]
    tenants: list[str]
    relay: psutil.Process
    worker: psutil.Process
    _numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self._turn = cycle(self.tenants)
        self._emitter = psycopg.connect(self.environment["DATABASE_URL"], autocommit=True)
        self._emitter.execute("SET ROLE app_control")
        self._looker = psycopg.connect(self.environment["DATABASE_OWNER_URL"], autocommit=True)

    def emit(self, topic: str, number: int) -> None:
        """Commit so many events together, each of the next organization."""
        rows = []
        for _ in range(number):
            payload = json.dumps({"number": next(self._numbers), "emitted_at": time.time()})
            rows.append((uuid4(), next(self._turn), topic, payload))
        self._emitter.execute(INSERT, [list(column) for column in zip(*rows, strict=True)])

    def emit_steadily(self, topic: str, rate: int, seconds: int) -> int:
        """Commit events one by one at a rate; how many it were."""
        began = time.perf_counter()
        for number in range(rate * seconds):
            time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            self.emit(topic, 1)
        return rate * seconds

    def handled(self, topic: str) -> int:
        return self._ask("SELECT count(*) FROM bench.effects WHERE topic = %s", topic)[0][0]

    def await_handled(self, topic: str, number: int) -> None:
        found, moved = 0, time.monotonic()
        while found < number:
            assert time.monotonic() < moved + PATIENCE_SECONDS, f"{found} of {number} events were handled"
            time.sleep(0.05)
            before, found = found, self.handled(topic)
            moved = moved if found == before else time.monotonic()

    def forget(self) -> None:
        self._ask("TRUNCATE bench.effects")

    def waits(self) -> list[float]:
        """Seconds from just before the commit of each event to its effect."""
        return [wait for (wait,) in self._ask("SELECT at - emitted_at FROM bench.effects")]

    def out_of_order(self) -> int:
        """Events that were handled after one of their organization that was emitted later."""
        earlier = "max(number) OVER (PARTITION BY tenant_id ORDER BY id ROWS UNBOUNDED PRECEDING)"
        query = f"SELECT count(*) FROM (SELECT number < {earlier} AS late FROM bench.effects) found WHERE late"
        return self._ask(query)[0][0]

    def processor_seconds(self) -> dict[str, float]:
        return {"relay": _seconds(self.relay), "worker": _seconds(self.worker)}

    def _ask(self, query: str, *parameters: Any) -> list[Any]:
        cursor = self._looker.execute(query.encode(), parameters)
        return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Drained:
    """Events a second, and milliseconds of processor time that each took."""

    rate: float
    processor: dict[str, float]


def run(servers: Servers) -> None:
    servers.create_databases(ours=[DATABASE], stock=[])
    environment = servers.ours(DATABASE) | {"LOG_LEVEL": "ERROR", "DATA_DIR": str(DATA_DIR)}
    with Worker("ours", environment, name=f"{NAME}-ours") as worker:
        say(f"{NAME}: creating {ORGANIZATIONS} organizations")
        worker.call("prepare")
        tenants = worker.call("emitters", number=ORGANIZATIONS)
    _make_table(environment["DATABASE_OWNER_URL"])
    with _processes(environment) as (relay, celery):
        machinery = Machinery(environment, tenants, relay, celery)
        for topic in (ALONE, TOGETHER):
            _drain(machinery, topic, WARM_UP)
        _measure(machinery)


def _measure(machinery: Machinery) -> None:
    case = f"{ORGANIZATIONS} organizations"
    before = _drain(machinery, ALONE, BURST_ALONE)
    say(f"{NAME}: one message per event: {before}")
    now = _drain(machinery, TOGETHER, BURST)
    say(f"{NAME}: many events in a message: {now}")
    single = {"baseline_is": "one message per event"}
    measured(NAME, f"burst, {case}", now.rate, "events/s", baseline=before.rate, aim=EVENTS_A_SECOND, **single)
    for process, spent in now.processor.items():
        measured(NAME, f"processor of the {process}", spent, "ms/event", baseline=before.processor[process], **single)
    measured(NAME, "burst, events out of their organization's order", machinery.out_of_order(), "", aim=Aim(at_most=0))
    machinery.forget()
    say(f"{NAME}: {RATE} events a second")
    emitted = machinery.emit_steadily(TOGETHER, RATE, SECONDS)
    machinery.await_handled(TOGETHER, emitted)
    waits = machinery.waits()
    measured(NAME, f"p50 at {RATE} events/s, {case}", percentile(waits, 50), "s")
    measured(NAME, f"p95 at {RATE} events/s, {case}", percentile(waits, 95), "s", aim=P95)
    late = machinery.out_of_order()
    measured(NAME, f"at {RATE} events/s, out of their organization's order", late, "", aim=Aim(at_most=0))


def _drain(machinery: Machinery, topic: str, number: int) -> Drained:
    """Commit events at once and wait for the last effect."""
    machinery.forget()
    spent, began = machinery.processor_seconds(), time.perf_counter()
    machinery.emit(topic, number)
    machinery.await_handled(topic, number)
    seconds = time.perf_counter() - began
    time.sleep(0.5)  # the last of them are still being finished
    after = machinery.processor_seconds()
    return Drained(number / seconds, {name: (after[name] - spent[name]) * 1000 / number for name in spent})


def _make_table(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(TABLE)


@contextmanager
def _processes(environment: dict[str, str]) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """The relay and a worker of two processes, both with the benchmark's subscribers."""
    celery = ("celery", "-A", "config", "--quiet", "worker", "--loglevel", "WARNING", "--concurrency", "2")
    commands = {
        "relay": ("tests.bench.relaying",),
        "worker": (*celery, "--queues", "default", "--include", "tests.bench.subscribers"),
    }
    started = []
    try:
        for name, command in commands.items():
            with (DATA_DIR / "logs" / f"{NAME}-{name}.log").open("ab") as log:
                line = [sys.executable, "-m", *command]
                started.append(subprocess.Popen(line, cwd=ROOT, env=environment, stdout=log, stderr=log))
        relay, worker = (psutil.Process(process.pid) for process in started)
        yield relay, worker
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=START_SECONDS)


def _seconds(process: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))
