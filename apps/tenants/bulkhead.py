"""No organization takes all threads of a process while others ask for something too.

A thread is what requests compete for. Whoever asks for a large share of what a process is asked has
TENANT_CONCURRENCY threads at once; TENANT_WAITING more requests wait for a moment, and the rest is told to come
again: a refusal holds a thread for a millisecond, waiting would hold it as work does. Who asks for little is never
refused, and who is alone may have all threads.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

WINDOW_SECONDS = 1.0  # what was asked in this and the one before decides who asks for much
LARGE_SHARE = 0.25
WAIT_SECONDS = 0.2


class Full(Exception):
    """The organization has as much in hand as it may have at once."""


class Bulkhead:
    """The requests that one process has in hand, by organization."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._in_hand: Counter[UUID] = Counter()
        self._waiting: Counter[UUID] = Counter()
        self._asked: Counter[UUID] = Counter()
        self._asked_before: Counter[UUID] = Counter()
        self._window = 0

    @contextmanager
    def room_for(self, tenant_id: UUID) -> Iterator[None]:
        """Room for one request. Raises Full."""
        with self._changed:
            self._note(tenant_id)
            if not self._has_room(tenant_id):
                self._wait(tenant_id)
            self._in_hand[tenant_id] += 1
        try:
            yield
        finally:
            with self._changed:
                _subtract(self._in_hand, tenant_id)
                if self._waiting:
                    self._changed.notify_all()

    def _note(self, tenant_id: UUID) -> None:
        """Count the request in its window; what is older than the window before is forgotten."""
        window = int(self._clock() / WINDOW_SECONDS)
        if window != self._window:
            self._asked_before = self._asked if window == self._window + 1 else Counter()
            self._asked, self._window = Counter(), window
        self._asked[tenant_id] += 1

    def _has_room(self, tenant_id: UUID) -> bool:
        limit = settings.TENANT_CONCURRENCY
        if not limit or self._in_hand[tenant_id] < limit:
            return True
        own = self._asked[tenant_id] + self._asked_before[tenant_id]
        everybody = self._asked.total() + self._asked_before.total()
        return own == everybody or own <= LARGE_SHARE * everybody

    def _wait(self, tenant_id: UUID) -> None:
        if self._waiting[tenant_id] >= settings.TENANT_WAITING:
            raise Full
        self._waiting[tenant_id] += 1
        try:
            if not self._changed.wait_for(lambda: self._has_room(tenant_id), WAIT_SECONDS):
                raise Full
        finally:
            _subtract(self._waiting, tenant_id)


bulkhead = Bulkhead()


def _subtract(counter: Counter[UUID], tenant_id: UUID) -> None:
    counter[tenant_id] -= 1
    if counter[tenant_id] <= 0:
        del counter[tenant_id]
