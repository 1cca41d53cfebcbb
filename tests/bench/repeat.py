"""Counts that must come out the same every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from .proxy import CountingProxy

WARM_UP = 3
TIMES = 5


class Counts(TypedDict):
    """The largest of several counts, the smallest, and the statements of the last."""

    most: int
    least: int
    statements: list[str]


def count(
    proxy: CountingProxy,
    work: Callable[[], object],
    *,
    between: Callable[[], object] = lambda: None,
) -> Counts:
    """Count the messages of a piece of work that is warmed up; ``between`` is done uncounted before each."""
    recorded: list[list[str]] = []
    for _ in range(WARM_UP + TIMES):
        between()
        with proxy.recording() as statements:
            work()
        recorded.append(statements)
    numbers = [len(statements) for statements in recorded[WARM_UP:]]
    return {"most": max(numbers), "least": min(numbers), "statements": recorded[-1]}
