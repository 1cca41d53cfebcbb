"""The processes of the Procfile under one roof: they start and end together, and come back when they die between."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped]
from honcho.manager import Manager  # type: ignore[import-untyped]
from honcho.process import Process  # type: ignore[import-untyped]

from deploy.local.linux import adopt_orphans, signal_when_orphaned

KILL_AFTER_SECONDS = 10
ORPHAN_SECONDS = 5
SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 30
"""What ran so long was well: when it dies, it comes back after the shortest pause again."""


class Supervisor(Manager):  # type: ignore[misc]
    """Honcho's manager, which also ends processes that do not want to, or that just start."""

    def __init__(self, when_started: Callable[[], None]) -> None:
        super().__init__()
        self._process_ctor = self._mortal_process
        self._when_started = when_started
        self._requested = False
        self._up = multiprocessing.Event()
        self._ending = multiprocessing.Event()

    def supervise(self) -> int:
        """Run until we are asked to stop, or one process ends before all are up; 0 only when asked."""
        self.loop()
        if self._requested:
            return 0
        code = int(self.returncode or 1)
        return code if code > 0 else 128 - code

    def terminate(self) -> None:
        """End all processes, and let none come back."""
        self._ending.set()
        super().terminate()

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
        threading.Thread(target=self._note_start, daemon=True).start()

    def _note_start(self) -> None:
        self._when_started()
        self._up.set()

    def _mortal_process(self, command: str, **options: Any) -> "_MortalProcess":
        return _MortalProcess(command, up=self._up, ending=self._ending, **options)

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
    """A process that comes back when it dies, and ends even when the supervisor is killed and can end nothing."""

    def __init__(self, command: str, *, up: Event, ending: Event, **options: Any) -> None:
        super().__init__(command, **options)
        self._up = up
        self._ending = ending

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        adopt_orphans()
        signal.signal(signal.SIGUSR1, self._on_orphaned)
        signal_when_orphaned(signal.SIGUSR1)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _disregard)
        self._events = events
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            code = self._run_once()
            if time.monotonic() - began > STEADY_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            if not self._up.is_set() or self._ending.is_set():
                break
            self._send_message(f"ended (rc={code}), starts again in {pause:g} s\n".encode())
            if self._ending.wait(pause):
                break
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._send_message({"returncode": code}, type="stop")

    def _run_once(self) -> int:
        self._child = self._child_ctor(self.cmd, env=self.env, cwd=self.cwd)
        self._send_message({"pid": self._child.pid}, type="start")
        if self._ending.is_set():  # too late for the supervisor to have seen this one
            self._child.terminate()
        waiting = threading.Thread(target=self._clear_up, daemon=True)
        waiting.start()
        for line in iter(self._child.stdout.readline, b""):
            self._send_message(line)
        self._child.stdout.close()
        waiting.join()
        return int(self._child.returncode)

    def _clear_up(self) -> None:
        """What a dead process leaves keeps its port and its output: it has to end before the next one starts."""
        self._child.wait()
        _end_descendants()

    def _on_orphaned(self, number: int, frame: FrameType | None) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                os.killpg(self._child.pid, signal.SIGTERM)
                self._child.wait(timeout=ORPHAN_SECONDS)
            with contextlib.suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
        os._exit(1)


def _disregard(number: int, frame: FrameType | None) -> None:
    """Do nothing; unlike SIG_IGN, programs that we start do not inherit it."""


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
