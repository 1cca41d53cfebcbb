"""What `make run` keeps running, and the local files that are only caches."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery

from config.beat import RebuildingScheduler
from deploy.local.errors import LaunchError
from deploy.local.stored import DEFAULT_PORTS, load_secrets, remember_port, remembered_port
from deploy.local.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[1]
SUPERVISED = """
import os, signal, sys, threading, time
from deploy.local.supervisor import Supervisor
runs, command = sys.argv[1:]
def until_enough():
    up = time.monotonic() + 10
    while not (os.path.exists(runs) and len(open(runs).readlines()) >= 1) and time.monotonic() < up:
        time.sleep(0.05)
    threading.Thread(target=end, daemon=True).start()
def end():
    last = time.monotonic() + 20
    while len(open(runs).readlines()) < 3 and time.monotonic() < last:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)
supervisor = Supervisor(until_enough)
supervisor.add_process("mortal", command)
raise SystemExit(supervisor.supervise())
"""


def supervise(runs: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SUPERVISED, str(runs), command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("death", ["kill -9 $$", "exit 1", "exit 0"])
def test_supervised_process__dies_when_all_is_up__comes_back_until_asked_to_end(tmp_path, death):
    runs = tmp_path / "runs"

    done = supervise(runs, f"echo run >> {runs}; sleep 1; {death}")

    assert len(runs.read_text().splitlines()) == 3
    assert done.returncode == 0, done.stdout


def test_supervised_process__ends_at_the_first_start__ends_all(tmp_path):
    done = supervise(tmp_path / "runs", "exit 3")

    assert done.returncode == 3


@pytest.mark.parametrize("damage", ["missing", "zeroed", "truncated", "garbage"])
def test_beat_schedule__broken_file__is_built_anew(tmp_path, damage):
    schedule(tmp_path).close()
    break_file(max(tmp_path.glob("beat-schedule*"), key=lambda path: path.stat().st_size), damage)

    rebuilt = schedule(tmp_path)

    assert "hourly" in rebuilt.schedule
    rebuilt.close()


@pytest.mark.parametrize("damage", ["missing", "zeroed", "truncated", "garbage"])
def test_ports__broken_file__are_found_anew(tmp_path, damage):
    for server, port in DEFAULT_PORTS.items():
        remember_port(tmp_path, server, port + 1)
    break_file(tmp_path / "ports.json", damage)

    found = {server: remembered_port(tmp_path, server) for server in DEFAULT_PORTS}
    remember_port(tmp_path, "valkey", 1234)

    assert found == DEFAULT_PORTS
    assert remembered_port(tmp_path, "valkey") == 1234


def test_valkey__running_when_its_port_is_forgotten__is_not_started_twice(tmp_path):
    server, (port, other) = EmbeddedValkey(tmp_path, password="secret"), free_ports()
    server.start(port, durable=False)
    try:
        assert server.start(other, durable=False) is False
        assert server.running_port() == port
    finally:
        server.stop(port)
        server.stop(other)
    assert server.running_port() is None


def free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@pytest.mark.parametrize("damage", ["zeroed", "truncated", "garbage"])
def test_secrets__broken_file__are_never_made_anew(tmp_path, damage):
    """What they encrypt and open would be lost with them."""
    load_secrets(tmp_path)
    path = tmp_path / "secrets.json"
    break_file(path, damage)
    broken = path.read_bytes()

    with pytest.raises(LaunchError, match="is damaged"):
        load_secrets(tmp_path)

    assert path.read_bytes() == broken


def schedule(directory: Path) -> RebuildingScheduler:
    app = Celery("clock", set_as_current=False, broker="memory://")
    app.conf.beat_schedule = {"hourly": {"task": "hourly", "schedule": 3600.0}}
    return RebuildingScheduler(app=app, schedule_filename=str(directory / "beat-schedule"))


def break_file(path: Path, damage: str) -> None:
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        broken = {
            "zeroed": bytes(len(content)),
            "truncated": content[: len(content) // 2],
            "garbage": b"\x80\x04garbage",
        }
        path.write_bytes(broken[damage])
