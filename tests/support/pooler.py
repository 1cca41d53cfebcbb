"""PgBouncer as it is shipped in ``deploy/pgbouncer``, before the servers of a run."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import pytest

from deploy.local.stored import PORTS_TRIED
from deploy.local.system import port_is_free, service_account

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "pgbouncer" / "pgbouncer.ini"
FIRST_PORT = 64320
START_SECONDS = 10
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
MISSING = "PgBouncer is not installed (apt-get install pgbouncer)"


def find() -> str | None:
    """The program, also where it is outside a normal user's PATH."""
    candidates = (shutil.which("pgbouncer", path=path) for path in (None, *PLACES))
    return next((found for found in candidates if found), None)


def require() -> None:
    """Fail in continuous integration where PgBouncer is missing; elsewhere skip the test, with the reason."""
    if find() is None:
        assert not os.environ.get("CI"), MISSING
        pytest.skip(MISSING)


def through(port: int, url: str) -> str:
    """The same URL by way of PgBouncer."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()


@contextmanager
def running(*urls: str, **changed: str | int) -> Iterator[int]:
    """PgBouncer before the server of these URLs, for their users; yields its port.

    ``changed`` are settings that shall differ from the shipped ones.
    """
    pooler = Pooler(*urls, **changed)
    try:
        yield pooler.port
    finally:
        pooler.stop()


class Pooler:
    """A PgBouncer that runs from the moment it is made until it is stopped."""

    def __init__(self, *urls: str, **changed: str | int) -> None:
        program = find()
        if program is None:
            raise RuntimeError(MISSING)
        self._directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        self.port = next(port for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port_is_free(port))
        configuration = self._write([urlsplit(url) for url in urls], changed)
        account = service_account()
        account.own(self._directory)
        self._process = subprocess.Popen(
            [program, str(configuration)],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **account.subprocess_options(),
        )
        self._wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=START_SECONDS)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _write(self, urls: list[SplitResult], changed: dict[str, str | int]) -> Path:
        users = self._directory / "users.txt"
        lines = [f'"{unquote(url.username or "")}" "{unquote(url.password or "")}"\n' for url in urls]
        users.write_text("".join(lines))
        shipped = configparser.ConfigParser(interpolation=None)
        shipped.read(SHIPPED)
        shipped["databases"]["*"] = f"host={urls[0].hostname} port={urls[0].port}"
        own = {"listen_port": self.port, "auth_file": users, "logfile": self._log, "pidfile": f"{users}.pid"}
        shipped["pgbouncer"].update({name: str(value) for name, value in {**own, **changed}.items()})
        configuration = self._directory / SHIPPED.name
        with configuration.open("w") as file:
            shipped.write(file)
        return configuration

    @property
    def _log(self) -> Path:
        return self._directory / "pgbouncer.log"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while port_is_free(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self._log.read_text() if self._log.exists() else "it wrote no log"
                raise RuntimeError(f"PgBouncer does not start: {text[-500:]}")
            time.sleep(0.05)
