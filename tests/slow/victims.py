"""``python -m tests.slow.victims N MODULE FUNCTION ARGUMENT…``: calls a function, and dies before the n-th statement.

The last line printed by one that lives is how many statements it sent.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import django
import psycopg

NEVER = 10**9


def killed_before(statement: int, act: Callable[..., object], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call a module's function in a process of its own that is killed before it sends its n-th statement."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}
    command = [sys.executable, "-m", "tests.slow.victims", str(statement), act.__module__, act.__name__, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def statements_of(act: Callable[..., object], *arguments: str) -> int:
    """How many statements a call sends. Raises CalledProcessError."""
    ended = killed_before(NEVER, act, *arguments)
    ended.check_returncode()
    return int(ended.stdout.splitlines()[-1])


def was_killed(process: subprocess.CompletedProcess[str]) -> bool:
    return process.returncode == -signal.SIGKILL


def main() -> None:
    limit, module, function, *arguments = sys.argv[1:]
    django.setup()
    act = getattr(importlib.import_module(module), function)
    sent, execute = 0, psycopg.Cursor.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal sent
        sent += 1
        if sent >= int(limit):  # threads count past each other
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *args, **kwargs)

    psycopg.Cursor.execute = counted  # type: ignore[method-assign]
    act(*arguments)
    print(sent)


if __name__ == "__main__":
    main()
