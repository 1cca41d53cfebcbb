"""What `make run` keeps running, and the local files that are only caches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery

from config.beat import RebuildingScheduler

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


def schedule(directory: Path) -> RebuildingScheduler:
    app = Celery("clock", broker="memory://")
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
