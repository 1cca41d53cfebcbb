"""The load generator: wrk, which keeps every connection busy with one request at a time."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT_SECONDS = 10  # wrk's own 2 would call every answer late that waits its turn among 1,000
SPARE_FILES = 256


@dataclass(frozen=True)
class Run:
    """What wrk counted; times in milliseconds. ``requests`` were answered, however."""

    requests: int
    seconds: float
    p50: float
    p95: float
    p99: float
    slowest: float
    statuses: int
    timeouts: int
    connects: int
    reads: int
    writes: int

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read the line that the script writes."""
        return cls(**json.loads(line))

    @property
    def rate(self) -> float:
        """Answers with a status below 400 in a second: a refusal is quick and no work done."""
        return (self.requests - self.statuses) / self.seconds

    @property
    def unanswered(self) -> int:
        """Connections that failed."""
        return self.connects + self.reads + self.writes

    @property
    def failures(self) -> dict[str, int]:
        """What went wrong, by kind."""
        return {name: getattr(self, name) for name in ("statuses", "timeouts", "connects", "reads", "writes")}


def find() -> str | None:
    """The program."""
    return shutil.which("wrk")


def allow_files(connections: int) -> bool:
    """Let this process and those it starts open that many connections, if the system does."""
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            return False
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


def run(program: str, url: str, headers: dict[str, str], *, connections: int, seconds: int) -> Run:
    """Ask for the URL as often as it is answered."""
    named = [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]
    options: list[Any] = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
    command = [program, *options, "-s", str(SCRIPT), *named, url]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return Run.from_json(done.stdout.splitlines()[-1])
