"""Clients that hold on to what they are given, beside others: `make bench BENCH=clients` measures it for longer."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.server.wire import Wire
from tests.support.clients import API, issue
from tests.support.hostile import KINDS, attacking
from tests.support.serving import listening

pytestmark = pytest.mark.slow

CLIENTS, SECONDS = 200, 8.0
PATIENCE_SECONDS = 3.0  # far more than the page takes on a busy machine, far less than a held thread would cost


@pytest.fixture(scope="module")
def port(platform) -> Iterator[int]:
    (Path(settings.STATIC_ROOT) / "large.css").write_bytes(b"b { color: red }\n" * 40_000)
    with listening({**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}) as (number, _):
        yield number


@pytest.mark.parametrize("kind", KINDS)
def test_clients__that_hold_on__hold_up_nobody_else(acme, port, kind):
    wire, waits = Wire(port, acme.host, issue(acme).access), []
    statuses: Counter[int] = Counter()

    with attacking(kind, port, acme.host, clients=CLIENTS, seconds=SECONDS):
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            for path in ("/health", f"{API}/projects"):
                began = time.monotonic()
                statuses[wire.call("GET", path).status] += 1
                waits.append(time.monotonic() - began)
            time.sleep(0.05)

    assert statuses.keys() == {200}
    assert max(waits) < PATIENCE_SECONDS


def test_server__asked_to_end__answers_what_it_has_begun(acme, platform):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}
    with listening(environment) as (port, server):
        wire = Wire(port, acme.host, issue(acme).access)
        assert wire.call("GET", f"{API}/projects").status == 200
        processes = psutil.Process(server.pid).children(recursive=True)
        half = slowly_created(wire)
        time.sleep(0.5)

        server.send_signal(signal.SIGTERM)
        half.join(20)
        code = server.wait(20)

    assert (half.status, code) == (201, 0)
    assert not any(process.is_running() for process in processes)


class slowly_created(threading.Thread):  # noqa: N801 - reads as what it is at the call
    """A project whose body comes in two halves, a second apart."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(daemon=True)
        self.wire, self.status = wire, 0
        self.start()

    def run(self) -> None:
        self.status = self.wire.call("POST", f"{API}/projects", self._halves(), Content_Type="application/json").status

    def _halves(self) -> Iterator[bytes]:
        yield b'{"name": '
        time.sleep(1.5)
        yield b'"Plan"}'


def test_uploads__broken_off__leave_no_file_and_no_connection(acme, port):
    wire = Wire(port, acme.host, issue(acme).access)
    worker = next(p for p in psutil.Process().children(recursive=True) if f"--port {port}" in " ".join(p.cmdline()))
    break_off_uploads(wire)
    before = open_files(worker)

    break_off_uploads(wire)

    assert open_files(worker) <= before + 2
    assert list((Path(settings.DATA_DIR) / "spool").iterdir()) == []


def break_off_uploads(wire: Wire) -> None:
    for _ in range(30):
        head = ("Content-Length: 3000000", "Content-Type: multipart/form-data; boundary=edge")
        with wire.begun("POST", f"{API}/projects", *head) as client:
            client.sendall(b"--edge\r\n" + b"a" * 500_000)
    time.sleep(2)


def open_files(server: psutil.Process) -> int:
    return sum(process.num_fds() for process in [server, *server.children(recursive=True)])


def test_protocol__that_is_not_spoken__is_refused(port):
    answer = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--http2-prior-knowledge", f"http://127.0.0.1:{port}/"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )

    assert answer.stdout in ("000", "400", "505")
