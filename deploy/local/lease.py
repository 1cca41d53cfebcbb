"""Who uses the servers of a DATA_DIR, so that the last one to leave stops them."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from deploy.local.environment import Environment
from deploy.local.system import open_lock, try_lock


class Lease:
    """The servers run within the block. Afterward they are as they were found, or as others need them."""

    def __init__(self, environment: Environment, *, keep_found: bool) -> None:
        self._environment = environment
        self._keep_found = keep_found
        self._lock = open_lock(environment.data_dir / "locks" / "lease")
        self._stop_at_exit = True

    def __enter__(self) -> Self:
        alone = try_lock(self._lock)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            started = self._environment.start(durable=True)
        except BaseException:
            self._leave()
            raise
        self._stop_at_exit = started or not alone or not self._keep_found
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        try:
            with _undisturbed():
                if self._stop_at_exit and try_lock(self._lock):
                    self._environment.stop()
        finally:
            os.close(self._lock)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """An impatient second Ctrl-C must not leave half of the servers running."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
