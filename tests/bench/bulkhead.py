"""What one tenant notices of another that asks for far too much: with the bulkhead, and without it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import web, wrk
from .load import Stream
from .report import Aim, measured, say, skipped
from .servers import Servers
from .worker import Worker

NAME = "bulkhead"
PATH = "/api/v1/projects"
ROWS = 40
SECONDS, SETTLE_SECONDS, ROUNDS = 15.0, 3.0, 3
NEIGHBOR_RATE = 12.0  # a second: below the limit of a person, 1,000 a minute
LIMIT_PER_MINUTE = 1000
FLOOD_RATE = 10 * LIMIT_PER_MINUTE / 60
CONNECTIONS = 64
UNLIMITED = {"REQUESTS_PER_MINUTE_USER": "100000000"}
WALLS = {"without": {"TENANT_CONCURRENCY": "0"}, "with": {}}
FLOODS: dict[str, dict[str, str]] = {
    f"a person at 10 times the limit ({FLOOD_RATE:.0f}/s)": {"REQUESTS_PER_MINUTE_USER": str(LIMIT_PER_MINUTE)},
    f"{CONNECTIONS} busy connections, no limit per person": UNLIMITED,
}
UNDISTURBED, NEVER_REFUSED = Aim(at_most=1.5), Aim(at_most=0)


def run(servers: Servers) -> None:
    """Each flood against each server: a quiet stretch first, then the same with the neighbor at work."""
    program = wrk.find()
    if program is None:
        skipped(NAME, "wrk is not installed (apt-get install wrk)")
        return
    servers.create_databases(ours=["ours_bulkhead"], stock=[])
    environment = servers.ours("ours_bulkhead") | {"LOG_LEVEL": "ERROR"}
    with Worker("ours", environment, name=NAME) as worker:
        worker.call("prepare")
        for flood, limits in FLOODS.items():
            for wall, own in WALLS.items():
                with web.serving(web.OUR_APPLICATION, environment | limits | own, name=NAME) as served:
                    _measure(worker, served, program, flood, wall)


def _measure(worker: Worker, served: web.Web, program: str, flood: str, wall: str) -> None:
    quiet, flooded, refused, answered = [], [], 0, 0
    for round_number in range(ROUNDS):
        neighbor, noisy = (_headers(worker, f"{who} {flood[:8]} {wall} {round_number}") for who in ("Quiet", "Noisy"))
        served.get(PATH, neighbor)
        before = Stream(served.port, PATH, [neighbor], NEIGHBOR_RATE).run(SECONDS)
        with _flooding(program, served.port, noisy, flood):
            time.sleep(SETTLE_SECONDS)
            during = Stream(served.port, PATH, [neighbor], NEIGHBOR_RATE).run(SECONDS)
        served.settle()
        quiet.append(before.p(95))
        flooded.append(during.p(95))
        refused += sum(count for status, count in during.statuses.items() if status != 200)
        answered += len(during.waits)
        say(f"{NAME}: {flood}, {wall}: p95 {before.p(95):.1f} -> {during.p(95):.1f} ms, {dict(during.statuses)}")
    _report(flood, wall, quiet, flooded, refused, answered)


def _report(flood: str, wall: str, quiet: list[float], flooded: list[float], refused: int, answered: int) -> None:
    case = f"neighbor of {flood}, {wall} bulkhead"
    rounds: dict[str, Any] = {
        "quiet_p95": [round(value, 2) for value in quiet],
        "flooded_p95": [round(value, 2) for value in flooded],
        "samples": answered,
    }
    before, during = (sorted(values)[len(values) // 2] for values in (quiet, flooded))
    measured(NAME, f"{case}, p95 while quiet", before, "ms")
    measured(NAME, f"{case}, p95 under it", during, "ms", **rounds)
    aim = UNDISTURBED if wall == "with" else None
    measured(NAME, f"{case}, p95 by that while quiet", during / before, "x", aim=aim)
    measured(NAME, f"{case}, refused", refused, "answers", aim=NEVER_REFUSED if wall == "with" else None)


def _headers(worker: Worker, name: str) -> dict[str, str]:
    found: dict[str, str] = worker.call("listing", rows=ROWS, name=name)
    return {"Host": found["host"], "Authorization": f"Bearer {found['token']}"}


@contextmanager
def _flooding(program: str, port: int, headers: dict[str, str], flood: str) -> Iterator[None]:
    """From another process, whose work does not hold up the clock that the neighbor is measured with."""
    url, seconds = f"http://127.0.0.1:{port}{PATH}", int(SECONDS + SETTLE_SECONDS) + 1
    if flood.startswith("a person"):
        command = [sys.executable, "-m", "tests.bench.load", str(port), PATH, str(FLOOD_RATE), str(seconds)]
        command.append(json.dumps(headers))
    else:
        named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        command = [program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *named, url]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.wait()
