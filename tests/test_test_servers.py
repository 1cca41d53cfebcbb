"""The servers that the tests bring along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_second_run_of_a_checkout__while_one_is_not_over__is_refused():
    alone = {name: value for name, value in os.environ.items() if name != "TENANTRY_TEST_SERVERS"}

    second = subprocess.run(
        [sys.executable, "-c", "import config.settings_test"],
        cwd=ROOT,
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert second.stderr.strip() == "error: another test run of this checkout is not over: wait for it, or use a clone"
