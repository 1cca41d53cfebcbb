"""The embedded PostgreSQL starts for as long as it gets on, with settings for what it holds."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from deploy.local import progress, sizing
from deploy.local.errors import LaunchError
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.progress import Activity, wait_while

GETS_ON = [
    "LOG:  syncing data directory (fsync), elapsed time: {} s, current path: ./base/1/{}",
    "LOG:  resetting unlogged relations (init), elapsed time: {} s, current path: base/{}",
    "LOG:  redo in progress, elapsed time: {} s, current LSN: 0/{}",
    "LOG:  checkpoint starting: end-of-recovery {} {}",
]
DOES_NOT = ["FATAL:  the database system is starting up {} {}", "DETAIL:  {} {}", ""]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(progress, "STALLED_SECONDS", 0.4)
    monkeypatch.setattr(progress, "MEASURE_SECONDS", 0.02)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(progress, "SAY_SECONDS", 0.1)


def wait_for_seconds(seconds: float, log: Path, line: str, processes: list[psutil.Process] | None = None) -> list[str]:
    """Wait while somebody writes the line again and again; what was said meanwhile."""
    said: list[str] = []
    until = time.monotonic() + seconds

    def waiting() -> bool:
        if line:
            moment = time.monotonic()
            with log.open("a") as file:
                file.write(f"2026-11-28 12:00:00.000 UTC [1] {line.format(moment, moment)}\n")
        return time.monotonic() < until

    wait_while(waiting, Activity(log, "startup", lambda: processes or []), said.append)
    return said


@pytest.mark.parametrize("line", GETS_ON)
def test_start__that_gets_on__is_waited_for_beyond_the_limit_and_said(impatient, tmp_path, line):
    said = wait_for_seconds(1.2, tmp_path / "server.log", line)

    assert said
    assert all(text.startswith("PostgreSQL: ") for text in said)
    assert line.removeprefix("LOG:  ").split("{")[0] in said[-1]


@pytest.mark.parametrize("line", DOES_NOT)
def test_start__that_does_not_get_on__is_given_up(impatient, tmp_path, line):
    (tmp_path / "server.log").write_text("2026-11-28 12:00:00.000 UTC [1] LOG:  of an earlier start\n")

    with pytest.raises(LaunchError, match="has not got on for 0.4 s: it says nothing"):
        wait_for_seconds(5, tmp_path / "server.log", line)


class Working:
    """A process of the server that logs nothing."""

    def __init__(self, title: str) -> None:
        self.title = title

    def cmdline(self) -> list[str]:
        return [self.title]

    def cpu_times(self):
        return SimpleNamespace(user=time.monotonic(), system=0)

    def num_ctx_switches(self):
        return SimpleNamespace(voluntary=0)


@pytest.mark.parametrize(("title", "gets_on"), [("postgres: startup ", True), ("postgres: checkpointer ", False)])
def test_start__that_says_nothing__gets_on_while_its_process_works(impatient, tmp_path, title, gets_on):
    try:
        wait_for_seconds(1.2, tmp_path / "server.log", "", [Working(title)])
    except LaunchError:
        assert not gets_on
    else:
        assert gets_on


@pytest.mark.parametrize(("files", "locks"), [(0, 512), (204_000, 512), (440_000, 1100), (4_400_000, 11_000)])
def test_locks__for_so_many_files__suffice_for_a_dump_of_twice_as_many_tables(monkeypatch, tmp_path, files, locks):
    monkeypatch.setattr(sizing, "relation_files", lambda cluster: files)

    found = sizing.sized(tmp_path, 18)

    assert int(found["max_locks_per_transaction"]) == locks
    assert int(found["max_locks_per_transaction"]) * int(found["max_connections"]) >= 2 * files // 5


def test_relation_files__of_a_cluster__are_tables_and_indexes_only(tmp_path):
    for name in ("1/16384", "1/16385", "1/16385_fsm", "1/16385_vm", "1/16385.1", "5/999", "5/PG_VERSION"):
        path = tmp_path / "base" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert sizing.relation_files(tmp_path) == 3


@pytest.mark.parametrize(
    ("platform", "major", "syncs", "reports"),
    [("linux", 13, False, False), ("linux", 14, True, False), ("linux", 18, True, True), ("darwin", 18, False, True)],
)
def test_settings__that_a_platform_or_version_lacks__are_left_out(
    monkeypatch, tmp_path, platform, major, syncs, reports
):
    monkeypatch.setattr(sizing.sys, "platform", platform)
    (tmp_path / "base").mkdir()

    found = sizing.sized(tmp_path, major)

    assert ("recovery_init_sync_method" in found) is syncs
    assert ("log_startup_progress_interval" in found) is reports


@pytest.mark.slow
def test_killed_server__that_somebody_starts__is_waited_for_by_who_finds_it_starting(tmp_path):
    tmp_path.chmod(0o711)
    first, second = (cluster(tmp_path) for _ in range(2))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first.start(port, durable=True)
    try:
        for _ in range(3):
            os.kill(int(first._noted(0)), signal.SIGKILL)
            time.sleep(1)
            starting = threading.Thread(target=first._launch)
            starting.start()
            while second.running_port() is None:
                time.sleep(0.001)

            assert second.start(port, durable=True) is False
            assert shown(second, port) == ("syncfs", "512", "200")
            starting.join()
    finally:
        first.stop()
    assert first.running_port() is None


def cluster(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, superuser_password="super", owner_password="owner")


def shown(server: EmbeddedPostgres, port: int) -> tuple[str, ...]:
    names = ("recovery_init_sync_method", "max_locks_per_transaction", "max_connections")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in names)
    with psycopg.connect(host="127.0.0.1", port=port, user="postgres", password="super") as connection:
        return tuple(connection.execute(query).fetchone())
