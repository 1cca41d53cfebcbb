"""How often a process finds an organization among those that it remembers, and what it costs to look one up.

Beside it, in the same run, the scheme that there was before: one version for all organizations, 4,096 of them kept for
five minutes, looked up by a query that is compiled each time.
"""

from __future__ import annotations

import os

from .report import Aim, measured, say
from .servers import Servers
from .worker import Worker

NAME = "directory"
ORGANIZATIONS = int(os.environ.get("BENCH_ORGANIZATIONS", "10000"))
HIT = Aim(at_least=95)
COLD_MS, COLD_STATEMENTS = Aim(at_most=2), Aim(at_most=2)
AIMS = {"hit rate": HIT, "a miss, CPU": COLD_MS, "a miss, statements": COLD_STATEMENTS}


def run(servers: Servers) -> None:
    servers.create_databases(ours=["ours_directory"], stock=[])
    with Worker("ours", servers.ours("ours_directory") | {"LOG_LEVEL": "ERROR"}, name=NAME) as worker:
        worker.call("prepare")
        say(f"{NAME}: noting {ORGANIZATIONS} organizations")
        worker.call("fill_directory", number=ORGANIZATIONS)
        before = worker.call("directory", scheme="one version for all")
        say(f"{NAME}: {before}")
        now = worker.call("directory", scheme="a version for each")
    for case, (value, unit) in now.items():
        aim = next((aim for begins, aim in AIMS.items() if case.startswith(begins)), None)
        measured(NAME, case, value, unit, baseline=before[case][0], baseline_is="one version for all", aim=aim)
