"""Whatever `make run` started and somebody kills comes back, and what was acknowledged meanwhile is kept."""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
import urllib.request
from collections.abc import Callable
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import psutil
import pytest
from honcho.environ import parse_procfile  # type: ignore[import-untyped]

from deploy.local.postgres import EmbeddedPostgres
from deploy.local.stored import load_secrets
from tests.slow.test_whole_product import ROOT, answers, free_port, running

pytestmark = pytest.mark.slow

DEATHS = int(os.environ.get("DEATHS", "16"))
"""Of all together, shared evenly; each costs about six seconds."""
PROCESSES = sorted(parse_procfile((ROOT / "Procfile").read_text()).processes)
VICTIMS = [*PROCESSES, "postgres", "valkey"]
COME_BACK_SECONDS = 90


def test_make_run__each_process_killed_often__comes_back_and_loses_no_acknowledged_write(tmp_path, monkeypatch):
    tmp_path.chmod(0o711)
    monkeypatch.delenv("STRIPE_SECRET_KEY", raising=False)  # or no local Stripe is started
    port, ended = free_port(), threading.Event()
    acknowledged: list[str] = []

    with running(tmp_path / "data", port):
        launcher = psutil.Process(int((tmp_path / "data" / "locks" / "run").read_text()))
        token = call(port, "auth/login", email="owner@acme.example", password="demo password for acme")["access"]
        writer = threading.Thread(target=write, args=(port, token, acknowledged, ended), daemon=True)
        writer.start()
        deaths = list(islice(cycle(VICTIMS), DEATHS))
        random.shuffle(deaths)
        for victim in deaths:
            kill(launcher, tmp_path, victim)
        wait_for(lambda: answers(port), "the application does not answer")
        before = len(acknowledged)
        wait_for(lambda: len(acknowledged) > before, "nothing can be written any more")
        ended.set()
        writer.join()
        kept = project_names(port, token)

    assert set(acknowledged) <= kept


def kill(launcher: psutil.Process, tmp_path: Path, victim: str) -> None:
    """Kill it, at no certain moment of its life, and wait until another runs in its place."""
    pid = wait_for(lambda: running_pid(tmp_path, victim), f"{victim} does not run")
    time.sleep(random.uniform(0, 1))
    psutil.Process(pid).kill()
    wait_for(lambda: running_pid(tmp_path, victim) not in (None, pid), f"{victim} does not come back")
    assert launcher.is_running()


def running_pid(tmp_path: Path, victim: str) -> int | None:
    try:
        pid = int(pid_of_server(tmp_path / "data", victim) or pid_said(tmp_path / "run.log", victim))
        return pid if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def pid_of_server(data_dir: Path, victim: str) -> str:
    if victim == "postgres":
        passwords = load_secrets(data_dir)
        cluster = EmbeddedPostgres(
            data_dir, superuser_password=passwords["postgres"], owner_password=passwords["owner"]
        )
        return (cluster.directory / "postmaster.pid").read_text().split()[0]
    return (data_dir / "valkey" / "valkey.pid").read_text().strip() if victim == "valkey" else ""


def pid_said(log: Path, victim: str) -> str:
    """What `make run` last said of the process."""
    return re.findall(rf"{victim} started \(pid=(\d+)\)", log.read_text())[-1]


def write(port: int, token: str, acknowledged: list[str], ended: threading.Event) -> None:
    for number in count():
        name = f"Kept {number}"
        if ended.is_set():
            return
        try:
            call(port, "projects", token, name=name)
        except OSError:
            time.sleep(0.2)
        else:
            acknowledged.append(name)
            time.sleep(0.1)


def project_names(port: int, token: str) -> set[str]:
    names: set[str] = set()
    address: str | None = f"http://localhost:{port}/api/v1/projects"
    while address:
        page = ask(address, token)
        names |= {project["name"] for project in page["results"]}
        address = page["next"]
    return names


def ask(address: str, token: str, body: bytes | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - our own server
        return json.load(response)


def call(port: int, path: str, token: str = "", **body: str) -> Any:
    return ask(f"http://localhost:{port}/api/v1/{path}", token, json.dumps(body).encode())


def wait_for(condition: Callable[[], Any], otherwise: str) -> Any:
    deadline = time.monotonic() + COME_BACK_SECONDS
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(otherwise)
