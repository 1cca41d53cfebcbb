"""The processes of the Procfile under one roof: they start together and end together."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped]
from honcho.manager import Manager  # type: ignore[import-untyped]
from honcho.process import Process  # type: ignore[import-untyped]

from deploy.local.linux import adopt_orphans, signal_when_orphaned

KILL_AFTER_SECONDS = 10
ORPHAN_SECONDS = 5


class Supervisor(Manager):  # type: ignore[misc]
    """Honcho's manager, which also ends processes that do not want to, or that just start."""

    def __init__(self, when_started: Callable[[], None]) -> None:
        super().__init__()
        self._process_ctor = _MortalProcess
        self._when_started = when_started
        self._requested = False

    def supervise(self) -> int:
        """Run until one process ends or we are asked to stop; the exit code is 0 only when asked."""
        adopt_orphans()
        try:
            self.loop()
        finally:
            _end_descendants()
        if self._requested:
            return 0
        code = int(self.returncode or 1)
        return code if code > 0 else 128 - code

    def kill(self) -> None:
        """End at once what is left, also what has left its process group but holds an output open."""
        helpers = {entry["process"].pid for entry in self._processes.values()}
        running = [process for process in psutil.Process().children(recursive=True) if _runs(process)]
        others = [process for process in running if process.pid not in helpers]
        for process in others or running:
            _signal(process, signal.SIGKILL)

    def _all_stopped(self) -> bool:
        helpers = [entry["process"] for entry in self._processes.values()]
        return super()._all_stopped() or not any(helper.is_alive() for helper in helpers)

    def _start(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        super()._start()
        threading.Thread(target=self._when_started, daemon=True).start()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # What follows prints and waits, neither of which a signal handler may do.
        if not self._requested:
            self._requested = True
            threading.Thread(target=self._end_all, daemon=True).start()

    def _end_all(self) -> None:
        self._system_print("stopping\n")
        while not self._all_started():
            time.sleep(0.05)
        self.terminate()
        time.sleep(KILL_AFTER_SECONDS)
        while True:
            self.kill()
            time.sleep(0.1)


class _MortalProcess(Process):  # type: ignore[misc]
    """A process that ends even when the supervisor is killed and can end nothing itself."""

    def run(self, *arguments: Any, **options: Any) -> None:
        signal.signal(signal.SIGUSR1, self._on_orphaned)
        signal_when_orphaned(signal.SIGUSR1)
        super().run(*arguments, **options)

    def _on_orphaned(self, number: int, frame: FrameType | None) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                os.killpg(self._child.pid, signal.SIGTERM)
                self._child.wait(timeout=ORPHAN_SECONDS)
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
        os._exit(1)


def _end_descendants() -> None:
    """End what processes of the Procfile have left, such as their own background processes."""
    descendants = psutil.Process().children(recursive=True)
    for process in descendants:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(descendants, timeout=3)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=3)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return
