"""How long it takes to bring many schemas to the next release: whole commands, from the shell and back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

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


class Project:
    """One of the two projects: its command, and a folder for the migrations of its releases to come."""

    def __init__(self, name: str, environment: dict[str, str], settings: str, command: list[str], last: str) -> None:
        self.name, self.command, self.last, self.releases = name, command, last, 0
        own = ROOT / ("apps/projects/migrations" if name == "ours" else "tests/bench/stock/projects/migrations")
        self.folder: Path = DATA_DIR / "releases" / f"{name}-{environment['DATABASE_URL'].rpartition('/')[2]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = os.pathsep.join(map(str, (own, self.folder)))
        self.environment = {**environment, "DJANGO_SETTINGS_MODULE": settings, "BENCH_MIGRATIONS": paths}

    def release(self) -> None:
        """Add a migration: one more field of projects."""
        self.releases += 1
        name = f"{9000 + self.releases}_color_{self.releases}"
        (self.folder / f"{name}.py").write_text(MIGRATION.format(before=self.last, number=self.releases))
        self.last = name

    def seconds(self) -> float:
        """How long the command takes, start of the process included."""
        began = time.perf_counter()
        log = DATA_DIR / "logs" / f"{NAME}-{self.name}.log"
        with log.open("ab") as output:
            subprocess.run(
                self.command, cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT, check=True
            )
        return time.perf_counter() - began

    def nothing(self) -> float:
        return median(self.seconds() for _ in range(ROUNDS))

    def field(self) -> float:
        times = []
        for _ in range(ROUNDS):
            self.release()
            times.append(self.seconds())
        return median(times)


def run(servers: Servers) -> None:
    """Measure both projects with few schemas, and ours with many."""
    servers.create_databases(ours=["ours_fleet"], stock=["stock_fleet"])
    ours = Project(
        "ours",
        servers.ours("ours_fleet"),
        "tests.bench.ours.settings_next",
        [sys.executable, "manage.py", "migrate_fleet"],
        "0002_custom_fields_and_search",
    )
    stock = Project(
        "stock",
        servers.stock("stock_fleet"),
        "tests.bench.stock.settings_next",
        [sys.executable, "-m", "django", "migrate_schemas", "--verbosity", "0"],
        "0001_initial",
    )
    with Worker("stock", servers.stock("stock_fleet"), name=f"{NAME}-stock") as worker:
        say(f"{NAME}: stock with {FEW} schemas")
        worker.call("prepare")
        worker.call("fill", tenants=FEW)
    with Worker("ours", servers.ours("ours_fleet"), name=f"{NAME}-ours") as worker:
        say(f"{NAME}: ours with {FEW} schemas")
        worker.call("prepare")
        worker.call("fill_store", schemas=FEW)
        _compare(ours, stock)
        say(f"{NAME}: ours with {MANY} schemas")
        worker.call("fill_store", schemas=MANY)
        ours.seconds()  # the new ones lack what the others got meanwhile
    measured(NAME, f"nothing to do, {MANY} schemas", ours.nothing(), "s", aim=MANY_NOTHING)
    measured(NAME, f"a field more, {MANY} schemas", ours.field(), "s", aim=MANY_FIELD)


def _compare(ours: Project, stock: Project) -> None:
    for case, what in (("nothing to do", Project.nothing), ("a field more", Project.field)):
        say(f"{NAME}: {case}, {FEW} schemas")
        our_time, stock_time = what(ours), what(stock)
        measured(NAME, f"{case}, {FEW} schemas", our_time, "s", baseline=stock_time)
        measured(NAME, f"{case}, {FEW} schemas, times as fast as stock", stock_time / our_time, "x", aim=TIMES_STOCK)
    measured(NAME, "start of a process that does nothing", _start(ours), "s", baseline=_start(stock))


def _start(project: Project) -> float:
    """What of the time is Django's start."""
    began = time.perf_counter()
    setup = [sys.executable, "-c", "import django; django.setup()"]
    subprocess.run(setup, cwd=ROOT, env=project.environment, check=True)
    return time.perf_counter() - began
