"""Ending a `run` from another terminal."""

import contextlib
import os
import signal
import time
from pathlib import Path

from deploy.local.errors import LaunchError
from deploy.local.system import open_lock, try_lock

STOP_SECONDS = 60


def stop_run(data_dir: Path) -> None:
    """Ask the `run` on this DATA_DIR to stop, and wait until it has."""
    path = data_dir / "locks" / "run"
    if not path.exists():
        return
    lock = open_lock(path)
    try:
        if not try_lock(lock):
            _ask(path)
            _wait(lock, path)
    finally:
        os.close(lock)


def _ask(path: Path) -> None:
    with contextlib.suppress(ValueError, ProcessLookupError):
        os.kill(int(path.read_text()), signal.SIGTERM)


def _wait(lock: int, path: Path) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not try_lock(lock):
        if time.monotonic() > deadline:
            raise LaunchError(f"process {path.read_text()} does not stop: kill it")
        time.sleep(0.1)
