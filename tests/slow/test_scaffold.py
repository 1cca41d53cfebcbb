"""What the scaffold writes is complete: in a copy of the project it passes the linter and the tests at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = {"DJANGO_SETTINGS_MODULE": "config.settings_lint"}
SERVERS = ("DATABASE_", "REDIS_", "TENANTRY_TEST", "DATA_DIR", "PYTEST_")
TESTS = ("tests/test_notes.py", "tests/isolation", "tests/test_audited_services.py", "tests/test_bad_requests.py")

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(tmp_path) -> Path:
    """The files of the project, with what is not committed yet."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in (file.decode() for file in files if file):
        if (ROOT / name).is_file():
            target = tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SERVERS)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env={**kept, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_scaffold__of_a_resource__passes_linter_and_tests(copy):
    run(copy, "manage.py", "scaffold", "note", "--app", "projects", "--parent", "project", **LINT)
    run(copy, "manage.py", "makemigrations", "projects", **LINT)
    run(copy, "manage.py", "spectacular", "--urlconf", "config.urls_control", "--file", "docs/openapi.yaml", **LINT)

    run(copy, "-m", "ruff", "check", ".")
    run(copy, "-m", "ruff", "format", "--check", ".")
    run(copy, "-m", "mypy")
    run(copy, "manage.py", "lint_migrations", **LINT)
    run(copy, "-m", "djlint", "--quiet", "--lint", "templates")
    run(copy, "-m", "pytest", "-q", "-m", "not slow", *TESTS)
