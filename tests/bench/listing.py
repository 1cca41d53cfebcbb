"""How many pages of projects the whole stack serves over HTTP, how quickly, and from how much memory."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from . import web, wrk
from .report import Aim, measured, say, skipped
from .servers import Servers
from .web import Web
from .worker import Worker

NAME = "listing"
PATH = "/api/v1/projects"
ROWS, PAGE = 40, 20
FEW, MANY = 16, 1000
ROUNDS, WARM_UP_SECONDS = 2, 3
SECONDS = {FEW: 10, MANY: 20}  # more than the timeout, or nothing could be late
APPLICATIONS = {"ours": web.OUR_APPLICATION, "stock": "tests.bench.stock.wsgi:application"}
OURS_AS_RUN = {
    "REQUESTS_PER_MINUTE_USER": "100000000",
    "REQUESTS_PER_MINUTE_ADDRESS": "100000000",
    "LOG_LEVEL": "WARNING",  # stock logs no request that succeeds
}
TIMES_STOCK, ALL_SUCCEED = Aim(at_least=2.5), Aim(at_least=100)


@dataclass(frozen=True)
class Load:
    """One run and the processor time of the workers, which other load on the machine changes little."""

    run: wrk.Run
    processor_seconds: float

    @property
    def processor(self) -> float:
        """Milliseconds of one request."""
        return self.processor_seconds * 1000 / max(self.run.requests, 1)


@dataclass
class Site:
    """One project's server, and the process that makes tokens for it."""

    project: str
    web: Web
    worker: Worker
    loads: dict[int, list[Load]] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """Those of a request by somebody who has just signed in; the shorter lifetime of tokens is five minutes."""
        named: dict[str, str] = self.worker.call("listing", rows=ROWS)
        return {"Host": named["host"], "Authorization": f"Bearer {named['token']}"}

    def check(self, headers: dict[str, str]) -> None:
        """See that it answers what it is measured for."""
        page = self.web.get(PATH, headers)
        assert len(page["results"]) == PAGE, page
        assert page["next"], page

    def load(self, program: str, connections: int) -> None:
        """Warm up, and measure."""
        headers, url = self.headers(), f"http://127.0.0.1:{self.web.port}{PATH}"
        self.check(headers)
        self._run(program, url, headers, connections, WARM_UP_SECONDS)
        load = self._run(program, url, headers, connections, SECONDS[connections])
        self.loads.setdefault(connections, []).append(load)
        say(f"{NAME}: {self.project}, {connections} connections: {load.run.rate:.0f}/s, failures {load.run.failures}")

    def best(self, connections: int) -> Load:
        """The quicker of the runs."""
        return max(self.loads[connections], key=lambda load: load.run.rate)

    def success(self, connections: int) -> float:
        """How many percent of the requests of all runs were answered well and in time."""
        asked = sum(load.run.requests + load.run.unanswered for load in self.loads[connections])
        return 100 * (1 - sum(self.failures(connections).values()) / asked) if asked else 0

    def failures(self, connections: int) -> dict[str, int]:
        """What went wrong in all runs, by kind."""
        total: Counter[str] = Counter()
        for load in self.loads[connections]:
            total.update(load.run.failures)
        return dict(total)

    def _run(self, program: str, url: str, headers: dict[str, str], connections: int, seconds: int) -> Load:
        self.web.settle()
        before = self.web.processor_seconds()
        run = wrk.run(program, url, headers, connections=connections, seconds=seconds)
        return Load(run, self.web.processor_seconds() - before)


def run(servers: Servers) -> None:
    """Load both servers in turn, so that other load on the machine meets both."""
    program = wrk.find()
    if program is None:
        skipped(NAME, "wrk is not installed (apt-get install wrk)")
        return
    cases = [FEW]
    if wrk.allow_files(MANY):
        cases.append(MANY)
    else:
        skipped(f"{NAME} with {MANY} connections", "the system allows too few open files (ulimit -Hn)")
    servers.create_databases(ours=["ours_listing"], stock=["stock_listing"])
    environments = {
        "ours": servers.ours("ours_listing") | OURS_AS_RUN,
        "stock": servers.stock("stock_listing"),
    }
    with ExitStack() as stack:
        ours, stock = (_start(stack, project, environment) for project, environment in environments.items())
        for connections in cases * ROUNDS:
            for site in (ours, stock):
                site.load(program, connections)
        for connections in cases:
            _report(connections, ours, stock)
        _report_memory(ours.web.memory(), stock.web.memory())


def _start(stack: ExitStack, project: str, environment: dict[str, str]) -> Site:
    say(f"{NAME}: {project} starts")
    worker = stack.enter_context(Worker(project, environment, name=f"{NAME}-{project}"))
    worker.call("prepare")
    worker.call("listing", rows=ROWS)
    served = web.serving(APPLICATIONS[project], environment, name=f"{NAME}-{project}-web")
    return Site(project, stack.enter_context(served), worker)


def _report(connections: int, ours: Site, stock: Site) -> None:
    case = f"GET {PATH}, {PAGE} rows, token, {connections} connections"
    more: dict[str, Any] = {"rounds": ROUNDS, "seconds": SECONDS[connections]}
    load, stock_load = ours.best(connections), stock.best(connections)
    best, baseline = load.run, stock_load.run
    rates: dict[str, Any] = {"rates": _rates(ours, connections), "baseline_rates": _rates(stock, connections)}
    measured(NAME, f"{case}, throughput", best.rate, "requests/s", baseline=baseline.rate, **more, **rates)
    if baseline.rate:
        measured(NAME, f"{case}, throughput by that of stock", best.rate / baseline.rate, "x", aim=TIMES_STOCK, **more)
    for name in ("p50", "p95", "p99", "slowest"):
        measured(NAME, f"{case}, {name}", getattr(best, name), "ms", baseline=getattr(baseline, name), **more)
    title = f"{case}, the workers' processor time of one"
    measured(NAME, title, load.processor, "ms", baseline=stock_load.processor, **more)
    _report_success(case, connections, ours, stock)


def _report_success(case: str, connections: int, ours: Site, stock: Site) -> None:
    measured(
        NAME,
        f"{case}, success",
        ours.success(connections),
        "%",
        baseline=stock.success(connections),
        aim=ALL_SUCCEED if connections == MANY else None,
        rounds=ROUNDS,
        failures=ours.failures(connections),
        baseline_failures=stock.failures(connections),
        timeout_seconds=wrk.TIMEOUT_SECONDS,
    )


def _rates(site: Site, connections: int) -> list[float]:
    return [round(load.run.rate, 1) for load in site.loads[connections]]


def _report_memory(ours: list[dict[str, Any]], stock: list[dict[str, Any]]) -> None:
    for kind in ("rss", "pss"):
        value, baseline = (max(worker[kind] for worker in workers) for workers in (ours, stock))
        more: dict[str, Any] = {"workers": ours, "baseline_workers": stock}
        measured(NAME, f"largest worker after the runs, {kind.upper()}", value, "MiB", baseline=baseline, **more)
