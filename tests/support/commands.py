"""Commands of manage.py, in this process and in one of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from django.core.management import call_command


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test", **environment},
        check=False,
    )


def call(capsys, *arguments: str) -> str:
    call_command(*arguments)
    return str(capsys.readouterr().out)
