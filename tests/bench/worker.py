"""A process with one project's settings, driven over a pipe: a JSON line in, a JSON line out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .servers import DATA_DIR, ROOT

Actions = Mapping[str, Callable[..., Any]]


class WorkerFailed(Exception):
    """What the process raised, as text."""


class Worker:
    """The parent's side. What the process prints goes to ``var/bench/logs/<name>.log``."""

    def __init__(self, project: str, environment: dict[str, str], *, name: str) -> None:
        self._module = f"tests.bench.{project}"
        self._environment = environment
        self._log: Path = DATA_DIR / "logs" / f"{name}.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._process.kill()
        self._process.communicate()

    def call(self, action: str, **arguments: Any) -> Any:
        """Have the process do something; what it answers. Raises WorkerFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"action": action, "arguments": arguments}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise WorkerFailed(f"{self._module} ended: see {self._log}")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerFailed(reply["error"])
        return reply["result"]


def serve(actions: Actions) -> None:
    """The process's side: answer until the parent closes the pipe; nothing else may write to it."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        for line in sys.stdin:
            print(json.dumps(_answer(actions, json.loads(line))), file=replies, flush=True)


def _answer(actions: Actions, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"result": actions[request["action"]](**request["arguments"])}
    except Exception:
        return {"error": traceback.format_exc()}
