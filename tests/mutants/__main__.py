"""Apply each mutation to a copy of the project and see that the suite beside it fails.

Prints a table; the exit code is the number of mutations that survived.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

from .mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
COPIES = 2
TIMEOUT_SECONDS = 600
FAILED = re.compile(r"^(?:SUBFAILED.*?|FAILED|ERROR) (tests/\S+)", re.M)


def main() -> int:
    chosen = [m for m in MUTATIONS if not sys.argv[1:] or any(word in m.name for word in sys.argv[1:])]
    with copies() as free, ThreadPoolExecutor(COPIES) as pool:
        rows = list(pool.map(lambda mutation: attempt(mutation, free), chosen))
    print("\n| mutation | caught by | seconds |\n|---|---|---|")
    for mutation, caught_by, seconds in rows:
        print(f"| {mutation.name} | {caught_by or '**survived**'} | {seconds:.0f} |")
    survived = sum(not caught_by for _, caught_by, _ in rows)
    print(f"\n{len(rows) - survived} caught, {survived} survived")
    return survived


def attempt(mutation: Mutation, free: Queue[Path]) -> tuple[Mutation, str, float]:
    copy, started = free.get(), time.monotonic()
    target = copy / mutation.file
    original = target.read_text()
    try:
        if mutation.old not in original:
            raise SystemExit(f"The mutation '{mutation.name}' no longer fits {mutation.file}.")
        target.write_text(original.replace(mutation.old, mutation.new))
        caught_by = failing_test(copy, mutation.suite)
    finally:
        target.write_text(original)
        free.put(copy)
    print(f"{'caught' if caught_by else 'SURVIVED':9} {mutation.name}", file=sys.stderr, flush=True)
    return mutation, caught_by, time.monotonic() - started


def failing_test(copy: Path, suite: tuple[str, ...]) -> str:
    """The first test that fails there; '' if none does."""
    command = [
        str(ROOT / ".venv/bin/python"),
        "-m",
        "pytest",
        "-x",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *suite,
    ]
    run = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "TEST_CASES": "whole"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if run.returncode == 0:
        return ""
    found = FAILED.search(run.stdout)
    if not found:
        raise SystemExit(f"The suite did not run: {run.stdout[-1000:]}{run.stderr[-1000:]}")
    return found[1].split("::", 1)[-1].split("[")[0]


@contextmanager
def copies() -> Iterator[Queue[Path]]:
    """Copies of the project with servers of their own."""
    free: Queue[Path] = Queue()
    ignore = shutil.ignore_patterns(".venv", "var", ".git", "__pycache__", ".*_cache")
    with tempfile.TemporaryDirectory(prefix="mutants ") as folder:
        Path(folder).chmod(0o711)
        for number in range(COPIES):
            free.put(Path(shutil.copytree(ROOT, Path(folder) / str(number), ignore=ignore)))
        yield free


if __name__ == "__main__":
    sys.exit(main())
