"""What ordinary clients notice of those that hold on to what they are given: with our server, and with a WSGI one."""

from __future__ import annotations

from statistics import median
from typing import Any

from tests.support.hostile import KINDS, attacking

from . import web, wrk
from .load import Stream
from .report import Aim, measured, say, skipped
from .servers import DATA_DIR, Servers
from .worker import Worker

NAME = "clients"
PATH = "/api/v1/projects"
ROWS = 40
ORDINARY, HOSTILE = 4, 200
RATE = 24.0  # requests a second of the ordinary ones together
QUIET_SECONDS, ATTACK_SECONDS = 20.0, 60.0
BASELINE_SECONDS = 15.0  # that a server is attacked for which is expected not to answer
TURNS, LOAD_SECONDS, CONNECTIONS = 5, 8, 16
SERVERS = {"ours": web.OUR_APPLICATION, "WSGI": "config.wsgi:application"}
GENEROUS = {"REQUESTS_PER_MINUTE_USER": "100000000", "LOG_LEVEL": "ERROR"}
ELSEWHERE = "127.0.0.2"  # where the ordinary ones are
UNDISTURBED, ALL_ANSWERED, NO_SLOWER = Aim(at_most=2.0), Aim(at_least=100), Aim(at_least=1.0)


def run(servers: Servers) -> None:
    """Throughput of both in turn, then each kind of client against each."""
    servers.create_databases(ours=["ours_clients"], stock=[])
    environment = servers.ours("ours_clients") | GENEROUS
    (DATA_DIR / "static").mkdir(exist_ok=True)
    (DATA_DIR / "static" / "large.css").write_bytes(b"b { color: red }\n" * 40_000)
    with Worker("ours", environment, name=NAME) as worker:
        worker.call("prepare")
        _compare_throughput(worker, environment)
        for kind in KINDS:
            _attack(kind, worker, environment)


def _compare_throughput(worker: Worker, environment: dict[str, str]) -> None:
    program = wrk.find()
    if program is None:
        skipped(f"{NAME}, throughput", "wrk is not installed (apt-get install wrk)")
        return
    rates: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(TURNS):
        for name, application in SERVERS.items():
            with web.serving(application, environment, name=f"{NAME}-{name}") as server:
                url, headers = f"http://127.0.0.1:{server.port}{PATH}", _headers(worker)
                wrk.run(program, url, headers, connections=CONNECTIONS, seconds=2)
                rates[name].append(wrk.run(program, url, headers, connections=CONNECTIONS, seconds=LOAD_SECONDS).rate)
    ours, baseline = (median(rates[name]) for name in SERVERS)
    case = f"GET {PATH}, token, {CONNECTIONS} connections, throughput, median of {TURNS}"
    more: dict[str, Any] = {"rates": [round(rate) for rate in rates["ours"]]}
    more["baseline_rates"] = [round(rate) for rate in rates["WSGI"]]
    measured(NAME, case, ours, "requests/s", baseline=baseline, **more)
    measured(NAME, f"{case}, by that of WSGI", ours / baseline, "x", aim=NO_SLOWER)


def _attack(kind: str, worker: Worker, environment: dict[str, str]) -> None:
    for name, application in SERVERS.items():
        seconds = ATTACK_SECONDS if name == "ours" else BASELINE_SECONDS
        with web.serving(application, environment, name=f"{NAME}-{name}") as server:
            headers = _headers(worker)
            quiet = _stream(server.port, PATH, headers).run(QUIET_SECONDS)
            beside = _stream(server.port, PATH, headers)
            health = _stream(server.port, "/health", headers)
            with attacking(kind, server.port, headers["Host"], clients=HOSTILE, seconds=seconds + 60):
                with health.going_on():
                    beside.run(seconds)
        _report(kind, name, quiet, beside, health, seconds)


def _report(kind: str, name: str, quiet: Stream, beside: Stream, health: Stream, seconds: float) -> None:
    case = f"{HOSTILE} clients of the kind {kind} for {seconds:.0f} s, {name}"
    is_ours = name == "ours"
    say(f"{case}: p95 {quiet.p(95):.0f} -> {beside.p(95):.0f} ms, statuses {dict(beside.statuses)}")
    measured(NAME, f"{case}, p95 of others", beside.p(95), "ms", baseline=quiet.p(95))
    measured(
        NAME,
        f"{case}, p95 of others by that while quiet",
        beside.p(95) / quiet.p(95),
        "x",
        aim=UNDISTURBED if is_ours else None,
    )
    measured(NAME, f"{case}, p95 of /health", health.p(95), "ms")
    for what, stream in (("others", beside), ("/health", health)):
        answered = 100 * stream.statuses[200] / max(stream.statuses.total(), 1)
        measured(NAME, f"{case}, {what} answered", answered, "%", aim=ALL_ANSWERED if is_ours else None)


def _stream(port: int, path: str, headers: dict[str, str]) -> Stream:
    return Stream(port, path, [headers] * ORDINARY, RATE, ELSEWHERE)


def _headers(worker: Worker) -> dict[str, str]:
    named: dict[str, str] = worker.call("listing", rows=ROWS)
    return {"Host": named["host"], "Authorization": f"Bearer {named['token']}"}
