"""Waiting for PostgreSQL as long as it gets on: after a crash that grows with what it holds, and has no fixed limit."""

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from deploy.local.errors import LaunchError

STALLED_SECONDS = 120
LOOK_SECONDS, MEASURE_SECONDS, SAY_SECONDS = 0.05, 1.0, 3.0
TAIL_BYTES = 64_000
SAID = re.compile(r" LOG:  (.*)")

Say = Callable[[str], None]


def tell(text: str) -> None:
    """One line for whoever waits."""
    print(text, file=sys.stderr, flush=True)


class Activity:
    """What the server says in its log from now on, and what the process that does the work has done.

    Only what the server logs of itself counts: refused clients, who write there too, are no progress.
    """

    def __init__(self, log: Path, worker: str, processes: Callable[[], list[psutil.Process]]) -> None:
        self._log = log
        self._worker = worker
        self._processes = processes
        self._begins = log.stat().st_size if log.exists() else 0

    def doing(self) -> str:
        """What it last said it does."""
        try:
            with self._log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._begins, size - TAIL_BYTES))
                said = SAID.findall(file.read().decode(errors="replace"))
        except OSError:
            return ""
        return said[-1].strip() if said else ""

    def state(self) -> tuple[str, float]:
        """It differs from the one before if anything was done in between."""
        return self.doing(), sum(map(self._work, self._processes()))

    def _work(self, process: psutil.Process) -> float:
        try:
            if f": {self._worker}" not in "".join(process.cmdline()[:1]):
                return 0.0
            times = process.cpu_times()
            return float(times.user + times.system + process.num_ctx_switches().voluntary)
        except (psutil.Error, OSError):
            return 0.0


def wait_while(waiting: Callable[[], bool], activity: Activity, say: Say) -> None:
    """Wait for as long as something is done, and say what. Raises LaunchError when nothing moves any more."""
    state, moved = activity.state(), time.monotonic()
    measured = said = moved
    while waiting():
        time.sleep(LOOK_SECONDS)
        now = time.monotonic()
        if now - measured < MEASURE_SECONDS:
            continue
        measured, before, state = now, state, activity.state()
        moved = now if state != before else moved
        if now - moved > STALLED_SECONDS:
            raise LaunchError(f"PostgreSQL has not got on for {STALLED_SECONDS} s: {state[0] or 'it says nothing'}")
        if now - said > SAY_SECONDS:
            said = now
            say(f"PostgreSQL: {state[0] or 'it says nothing yet'}")
