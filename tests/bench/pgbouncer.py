"""A PgBouncer in transaction mode before the servers of a run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.stored import PORTS_TRIED
from deploy.local.system import port_is_free, service_account

from .servers import STOCK_ROLE, Servers

FIRST_PORT = 64320
POOL_SIZE = 4
START_SECONDS = 10
PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


def find() -> str | None:
    """The program, also where it is outside a normal user's PATH."""
    candidates = (shutil.which("pgbouncer", path=path) for path in (None, *PLACES))
    return next((found for found in candidates if found), None)


@contextmanager
def running(program: str, servers: Servers) -> Iterator[int]:
    """Both projects' databases behind one PgBouncer; yields its port. Set no passwords meanwhile."""
    directory = Path(tempfile.mkdtemp(prefix="bench-pgbouncer-"))
    port = next(port for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if port_is_free(port))
    configuration = _write(directory, servers, port)
    account = service_account()
    account.own(directory)
    process = subprocess.Popen(
        [program, str(configuration)],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **account.subprocess_options(),
    )
    try:
        _wait(process, port, directory / "pgbouncer.log")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)


def _write(directory: Path, servers: Servers, port: int) -> Path:
    host, server_port = servers.address
    users = dict([servers.login, (STOCK_ROLE, servers.stock_password)])
    lines = [f'"{user}" "{servers.set_verifier(user, password)}"\n' for user, password in users.items()]
    (directory / "users.txt").write_text("".join(lines))
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        f"""[databases]
* = host={host} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {directory}/users.txt
pool_mode = transaction
default_pool_size = {POOL_SIZE}
max_client_conn = 200
logfile = {directory}/pgbouncer.log
"""
    )
    return configuration


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while port_is_free(port):
        if process.poll() is not None or time.monotonic() > deadline:
            text = log.read_text() if log.exists() else "it wrote no log"
            raise RuntimeError(f"PgBouncer does not start: {text[-500:]}")
        time.sleep(0.05)
