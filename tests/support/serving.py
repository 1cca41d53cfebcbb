"""The application behind its own web server, as the Procfile starts it, on the data of the test servers."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template

from honcho.environ import parse_procfile

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sysconfig.get_path("scripts"))
PAGES = ("build_messages", "build_css", "collectstatic --noinput -v 0")
STARTED_SECONDS = 60


@contextmanager
def serving(*, workers: int = 1, **variables: str) -> Iterator[int]:
    """A server at the yielded port, with its files as in production; ``variables`` are those of its environment."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test", "LOG_LEVEL": "ERROR", **variables}
    environment["TEST_STATIC_FILES"] = "collected"
    for task in PAGES:
        subprocess.run([PROGRAMS / "python", "manage.py", *task.split()], cwd=ROOT, env=environment, check=True)
    with listening(environment, workers=workers) as (port, _):
        yield port


@contextmanager
def listening(
    environment: dict[str, str], *, workers: int = 1, stderr: int = subprocess.DEVNULL
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server in this environment: its port, and its process."""
    port = free_port()
    environment = {**environment, "PORT": str(port), "PUBLIC_PORT": str(port)}
    command = [*web_command(port), "--workers", str(workers)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        _wait_for(port)
        yield port, server
    finally:
        server.terminate()
        server.wait(timeout=40)


def web_command(port: int) -> list[str]:
    """What the Procfile has for the web, on the loopback interface."""
    line = parse_procfile((ROOT / "Procfile").read_text()).processes["web"].replace("${HOST:-127.0.0.1}", "127.0.0.1")
    program, *arguments = shlex.split(Template(line).substitute(PORT=port))
    return [str(PROGRAMS / program), *arguments]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + STARTED_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
