"""How long it takes to bring many schemas to the next release: whole commands, from the shell and back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .report import Aim, measured, say
from .servers import DATA_DIR, ROOT, Servers
from .worker import Worker

NAME = "fleet"
FEW, MANY = 200, 2000
ROUNDS = 3
TIMES_STOCK = Aim(at_least=40)
MANY_NOTHING, MANY_FIELD = Aim(3), Aim(8)
MIGRATION = """\
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("projects", "{before}")]
    operations = [
        migrations.AddField("project", "color_{number}", models.CharField(max_length=20, default="", db_default=""))
    ]
"""


@dataclass(frozen=True)
class Time:
    """Seconds of a whole command, and those of its work: without the start of Python and Django."""

    whole: float
    work: float


class Project:
    """One of the two projects: its command, and a folder for the migrations of its releases to come."""

    def __init__(self, name: str, environment: dict[str, str], command: list[str], last: str) -> None:
        self.name, self.command, self.last, self.releases = name, command, last, 0
        own = ROOT / ("apps/projects/migrations" if name == "ours" else "tests/bench/stock/projects/migrations")
        self.folder: Path = DATA_DIR / "releases" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**environment, "BENCH_MIGRATIONS": os.pathsep.join(map(str, (own, self.folder)))}

    def release(self) -> None:
        """Add a migration: one more field of projects."""
        self.releases += 1
        name = f"{9000 + self.releases}_color_{self.releases}"
        (self.folder / f"{name}.py").write_text(MIGRATION.format(before=self.last, number=self.releases))
        self.last = name

    def migrate(self, *options: str) -> Time:
        """Run the command in a process of its own."""
        command = [sys.executable, "-m", "tests.bench.timed_command", *self.command, *options]
        began = time.perf_counter()
        with (DATA_DIR / "logs" / f"{NAME}-{self.name}.log").open("ab") as log:
            ended = subprocess.run(
                command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=log, check=True, text=True
            )
        return Time(time.perf_counter() - began, float(ended.stdout.splitlines()[-1]))

    def nothing(self) -> Time:
        return _middle([self.migrate() for _ in range(ROUNDS)])

    def field(self, *options: str) -> Time:
        times = []
        for _ in range(ROUNDS):
            self.release()
            times.append(self.migrate(*options))
        return _middle(times)


UNWATCHED = "a field more, no canaries looked at"  # as stock does it
CASES: dict[str, Callable[[Project], Time]] = {"nothing to do": Project.nothing, "a field more": Project.field}


def run(servers: Servers) -> None:
    """Measure both projects with few schemas, and ours with many."""
    servers.create_databases(ours=["ours_fleet"], stock=["stock_fleet"])
    ours = Project("ours", servers.ours("ours_fleet"), ["migrate_fleet"], "0002_custom_fields_and_search")
    stock = Project("stock", servers.stock("stock_fleet"), ["migrate_schemas", "--verbosity", "0"], "0001_initial")
    with Worker("stock", servers.stock("stock_fleet"), name=f"{NAME}-stock-filler") as worker:
        say(f"{NAME}: stock with {FEW} schemas")
        worker.call("prepare")
        worker.call("fill", tenants=FEW)
    with Worker("ours", servers.ours("ours_fleet"), name=f"{NAME}-ours-filler") as worker:
        say(f"{NAME}: ours with {FEW} schemas")
        worker.call("prepare")
        worker.call("fill_store", schemas=FEW)
        for case, measure in CASES.items():
            say(f"{NAME}: {case}, {FEW} schemas")
            stocks = measure(stock)
            _compare(case, measure(ours), stocks)
        _compare(UNWATCHED, ours.field("--canary", "0"), stocks)
        say(f"{NAME}: ours with {MANY} schemas")
        worker.call("fill_store", schemas=MANY)
    ours.migrate()  # the new ones lack what the others got meanwhile
    for case, aim in (("nothing to do", MANY_NOTHING), ("a field more", MANY_FIELD)):
        taken = CASES[case](ours)
        measured(NAME, f"{case}, {MANY} schemas, whole command", taken.whole, "s", aim=aim)
        measured(NAME, f"{case}, {MANY} schemas, once started", taken.work, "s")


def _compare(case: str, ours: Time, stock: Time) -> None:
    measured(NAME, f"{case}, {FEW} schemas, whole command", ours.whole, "s", baseline=stock.whole)
    measured(NAME, f"{case}, {FEW} schemas, once started", ours.work, "s", baseline=stock.work)
    times = stock.work / ours.work
    measured(NAME, f"{case}, {FEW} schemas, once started, times as fast as stock", times, "x", aim=TIMES_STOCK)


def _middle(times: list[Time]) -> Time:
    return sorted(times, key=lambda time: time.whole)[len(times) // 2]
