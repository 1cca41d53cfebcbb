"""Asking for the schema store to be looked after: one run for however many claims.

At most one run waits: it will see what was claimed before it begins, so whoever asks meanwhile need not send another.
A mark in memory says that it waits. The run takes the mark away before it looks at the store; a claim that it may miss
finds none and sends one more. Without memory every claim sends a run, as a mark that was lost does; one whose run was
lost ends by itself, and every minute the store is looked after in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from apps.core import memory
from apps.core.memory import MemoryAway

MARK = "tenantry:store:run-waits"
MARK_SECONDS = 60


def ask(send: Callable[[], object]) -> None:
    """Have a run sent unless one waits."""
    if not _marked():
        return
    try:
        send()
    except BaseException:
        with suppress(MemoryAway):
            begin()
        raise


def begin() -> None:
    """What a run does before anything else. If that raises MemoryAway, it has to come again when it is done."""
    memory.ask(lambda store: store.delete(MARK))


def _marked() -> bool:
    try:
        return bool(memory.ask(lambda store: store.set(MARK, 1, nx=True, ex=MARK_SECONDS)))
    except MemoryAway:
        return True
