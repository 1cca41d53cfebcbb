"""Mails reach their readers once each, however often relay and workers are killed."""

from __future__ import annotations

import email
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from apps.accounts.roles import Assigned
from apps.accounts.services import invitations
from tests.support import servers

pytestmark = pytest.mark.slow

KILLS, RELAYS, MAILS = 20, 10, 120
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the application in a group of its own, killed at the end."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings_test",
        "TEST_EMAIL_BACKEND": "apps.notifications.filebox.EmailBackend",
        "TEST_EMAIL_FOLDER": str(folder),
        "BROKER_VISIBILITY_SECONDS": "5",
        "OUTBOX_LEASE_SECONDS": "10",
    }
    running = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def worker(folder: Path) -> AbstractContextManager[object]:
    command = ("-m", "celery", "-A", "config", "--quiet", "worker", "--concurrency", "2", "--queues", "default")
    return process(folder, *command)


def relay(folder: Path) -> AbstractContextManager[object]:
    return process(folder, "manage.py", "relay")


def waiting() -> int:
    with servers.as_operator() as connection:
        row = connection.execute("SELECT count(*) FROM platform.outbox").fetchone()
    return int(row[0]) if row else 0


def sent(folder: Path) -> Counter[str]:
    """How often each guest was written to."""
    mails = [email.message_from_bytes(file.read_bytes()) for file in folder.glob("*.eml")]
    return Counter(str(mail["To"]) for mail in mails if str(mail["To"]).startswith("guest"))


def test_workers__killed_at_random_points__send_each_mail_once(acme, tmp_path):
    chance = random.Random(20)
    wanted = {f"guest{number}@example.com" for number in range(MAILS)}
    with acme.inside():
        for address in sorted(wanted):
            invitations.invite(actor=acme.subject, email=address, role=Assigned("viewer"))

    with relay(tmp_path):
        for _ in range(KILLS):
            with worker(tmp_path):
                before, deadline = len(sent(tmp_path)), time.monotonic() + 30
                while len(sent(tmp_path)) == before and before < MAILS and time.monotonic() < deadline:
                    time.sleep(0.02)
                time.sleep(chance.uniform(0, 0.05))
        with worker(tmp_path):
            deadline = time.monotonic() + 90
            while (waiting() or len(sent(tmp_path)) < MAILS) and time.monotonic() < deadline:
                time.sleep(0.2)

    assert sent(tmp_path) == Counter(wanted)


def test_relays__killed_at_random_points__hand_over_each_mail_once(acme, tmp_path):
    chance = random.Random(21)
    wanted = {f"guest{number}@example.com" for number in range(MAILS)}

    with worker(tmp_path):
        for number, address in enumerate(sorted(wanted)):
            if number % (MAILS // RELAYS) == 0:
                with relay(tmp_path):
                    time.sleep(2 + chance.uniform(0, 1))
            with acme.inside():
                invitations.invite(actor=acme.subject, email=address, role=Assigned("viewer"))
        with relay(tmp_path):
            deadline = time.monotonic() + 90
            while (waiting() or len(sent(tmp_path)) < MAILS) and time.monotonic() < deadline:
                time.sleep(0.2)

    assert sent(tmp_path) == Counter(wanted)
