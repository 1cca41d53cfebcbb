"""The walls stand behind PgBouncer as it is shipped, and a process behind an unsafe pooler does not start."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from django.conf import settings

from tests.support import pooler

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
THROUGH_IT = (
    "tests/isolation/test_context.py",
    "tests/isolation/test_walls.py",
    "tests/isolation/test_tasks.py",
    "tests/test_projects.py",
    "tests/test_sign_up.py",
)


@pytest.fixture(autouse=True)
def installed() -> None:
    pooler.require()


def run(*command: str, seconds: int = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    programs = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": programs, "DJANGO_SETTINGS_MODULE": "config.settings_test", **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_isolation_suite__through_the_pooler__passes():
    own_servers = {"TEST_POOLER": "1", "PYTEST_XDIST_WORKER": "pooler", "TENANTRY_TEST_SERVERS": ""}

    done = run(sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", *THROUGH_IT, seconds=540, **own_servers)

    assert done.returncode == 0, done.stdout[-5000:]
    assert "skipped" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "import config.wsgi"),  # what the web server's workers do first
        ("celery", "-A", "config", "worker", "--concurrency", "1"),
        (sys.executable, "manage.py", "relay"),
    ],
    ids=["web", "worker", "relay"],
)
def test_process__behind_an_unsafe_pooler__says_so_and_ends(platform, command):
    direct = settings.DATABASE_DIRECT_URL

    with pooler.running(direct) as port:
        done = run(*command, DATABASE_DIRECT_URL=pooler.through(port, direct))

    assert done.returncode not in (0, None)
    assert "error: DATABASE_DIRECT_URL leads through a pooler in transaction mode" in done.stderr
