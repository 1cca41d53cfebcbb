"""A project behind the web server: ours as the Procfile starts it, any other as a WSGI application."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from honcho.environ import parse_procfile

from deploy.local.run import OWNER_VARIABLES
from deploy.local.stored import PORTS_TRIED
from deploy.local.system import port_is_free

from .servers import DATA_DIR, ROOT

FIRST_PORT = 64420
OUR_APPLICATION = "config.rsgi:application"
WSGI = "granian --interface wsgi --http 1 --host ${HOST} --port $PORT --workers 2 --blocking-threads 4 --no-ws"
START_SECONDS, STOP_SECONDS, SETTLE_SECONDS = 60, 20, 60
LOOK_SECONDS, IDLE_SECONDS = 0.3, 0.03
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Web:
    """A running server."""

    port: int
    process: psutil.Process

    def get(self, path: str, headers: dict[str, str]) -> Any:
        """What it answers, which must be JSON with status 200. Raises OSError while it does not listen."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        assert response.status == 200, content
        return json.loads(content)

    def settle(self) -> None:
        """Wait until it has nothing left to do: what an ended run had asked for is still worked off."""
        deadline, before = time.monotonic() + SETTLE_SECONDS, -1.0
        while (spent := self.processor_seconds()) - before > IDLE_SECONDS:
            assert time.monotonic() < deadline, "the server does not come to rest"
            before = spent
            time.sleep(LOOK_SECONDS)

    def processor_seconds(self) -> float:
        """What the workers have used so far."""
        return sum(sum(worker.cpu_times()[:2]) for worker in self._workers())

    def memory(self) -> list[dict[str, float]]:
        """MiB of each worker."""
        infos = [worker.memory_full_info() for worker in self._workers()]
        return [{name: round(getattr(info, name) / MEBIBYTE, 1) for name in ("rss", "pss")} for info in infos]

    def _workers(self) -> list[psutil.Process]:
        children = self.process.children()
        return [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]


@contextmanager
def serving(application: str, environment: dict[str, str], *, name: str) -> Iterator[Web]:
    """The application, with as many processes and threads whichever it is; what it prints goes to the logs."""
    port = next(port for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port_is_free(port))
    (DATA_DIR / "static").mkdir(exist_ok=True)
    with (DATA_DIR / "logs" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-c", f"exec env {_line(application)}"],
            cwd=ROOT,
            env=_environment(environment, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, port, log.name)
        yield Web(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS)


def _line(application: str) -> str:
    if application != OUR_APPLICATION:
        return f"{WSGI} --log-level warning {application}"
    line: str = parse_procfile((ROOT / "Procfile").read_text()).processes["web"]
    return line


def _environment(environment: dict[str, str], port: int) -> dict[str, str]:
    inherited = {name: value for name, value in environment.items() if name not in OWNER_VARIABLES}
    path = os.pathsep.join([sysconfig.get_path("scripts"), environment.get("PATH", os.defpath)])
    own = {"PATH": path, "HOST": "127.0.0.1", "PORT": str(port), "DATA_DIR": str(DATA_DIR), "PYTHONUNBUFFERED": "1"}
    return inherited | own


def _wait(process: subprocess.Popen[bytes], port: int, log: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while port_is_free(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the web server does not start: see {log}")
        time.sleep(0.1)
