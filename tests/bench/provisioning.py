"""How long creating an organization takes, with one and with many there already."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from .report import Aim, measured, percentile, say
from .servers import Servers
from .worker import Worker

NAME = "provisioning"
MANY = 500
ROUNDS, OUR_SAMPLES, STOCK_SAMPLES = 3, 12, 10
AIMED_CASE = "ensure_organization, schema"
P50_AIM, GROWTH_AIM = Aim(50), Aim(1.25)
HASH = "Argon2id hash"

Times = dict[str, list[float]]


def run(servers: Servers) -> None:
    """Measure databases with one and with many tenants in turn, so that other load on the machine meets both."""
    databases = {1: "few", MANY: "many"}
    servers.create_databases(
        ours=[f"ours_{name}" for name in databases.values()],
        stock=[f"stock_{name}" for name in databases.values()],
    )
    ours: dict[int, Times] = {number: defaultdict(list) for number in databases}
    stock: dict[int, list[float]] = {number: [] for number in databases}
    with ExitStack() as stack:
        our_workers, stock_workers = {}, {}
        for number, name in databases.items():
            our_worker = Worker("ours", servers.ours(f"ours_{name}"), name=f"{NAME}-ours-{name}")
            stock_worker = Worker("stock", servers.stock(f"stock_{name}"), name=f"{NAME}-stock-{name}")
            our_workers[number] = stack.enter_context(our_worker)
            stock_workers[number] = stack.enter_context(stock_worker)
        for number in databases:
            _fill("ours", our_workers[number], number)
            _fill("stock", stock_workers[number], number)
        for attempt in range(1, ROUNDS + 1):
            for number in databases:
                say(f"{NAME}: round {attempt} of {ROUNDS}, {number} tenants")
                _extend(ours[number], our_workers[number].call("creation_times", samples=OUR_SAMPLES))
                stock[number] += stock_workers[number].call("save_times", samples=STOCK_SAMPLES)
    _report(ours, stock)


def _fill(project: str, worker: Worker, tenants: int) -> None:
    say(f"{NAME}: {project} with {tenants} tenants")
    worker.call("prepare")
    found = worker.call("fill", tenants=tenants)
    assert found == tenants, f"{project} has {found} tenants instead of {tenants}"
    warm_up = "creation_times" if project == "ours" else "save_times"
    worker.call(warm_up, samples=1)


def _extend(times: Times, more: Times) -> None:
    for case, samples in more.items():
        times[case] += samples


def _report(ours: dict[int, Times], stock: dict[int, list[float]]) -> None:
    hashes = [sample for times in ours.values() for sample in times[HASH]]
    for number, times in ours.items():
        for case in times:
            if case != HASH:
                _report_case(case, number, times[case], stock[number])
    _report_growth(ours, stock)
    measured(NAME, f"{HASH} alone, p50", percentile(hashes, 50), "ms", samples=len(hashes))


def _report_case(case: str, number: int, samples: list[float], stock: list[float]) -> None:
    more: dict[str, Any] = {"samples": len(samples), "baseline_is": _baseline(number, len(stock))}
    if "sign_up" in case:
        more["includes"] = f"{HASH}, which stock does not make"
    for percent in (50, 95):
        title = f"{case}, {number} existing, p{percent}"
        aim = P50_AIM if case == AIMED_CASE and percent == 50 else None
        value, baseline = percentile(samples, percent), percentile(stock, percent)
        measured(NAME, title, value, "ms", baseline=baseline, aim=aim, **more)


def _report_growth(ours: dict[int, Times], stock: dict[int, list[float]]) -> None:
    """How much slower each way is with many tenants; 1 is flat."""
    few, many = sorted(ours)
    stock_growth = percentile(stock[many], 50) / percentile(stock[few], 50)
    for case in ours[few]:
        if case != HASH:
            measured(
                NAME,
                f"{case}, p50 at {many} existing by p50 at {few}",
                percentile(ours[many][case], 50) / percentile(ours[few][case], 50),
                "x",
                baseline=stock_growth,
                aim=GROWTH_AIM if case == AIMED_CASE else None,
            )


def _baseline(tenants: int, samples: int) -> str:
    kind = "" if tenants == 1 else ", all but one with copied tables instead of migrated ones"
    return f"stock Client.save() with {tenants} tenants{kind}; {samples} samples"
