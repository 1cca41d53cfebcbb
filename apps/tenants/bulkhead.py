"""No organization takes all threads of a process while others ask for something too.

A thread is what requests compete for. While nobody else has asked for a second, an organization may have all of
them; otherwise TENANT_CONCURRENCY at once, TENANT_WAITING more wait for a moment, and the rest is told to come
again: a refusal holds a thread for less than a millisecond, waiting would hold it as work does.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from django.conf import settings

ALONE_SECONDS = 1.0
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
        self._newest: UUID | None = None
        self._newest_at = self._other_at = 0.0

    @contextmanager
    def place_for(self, tenant_id: UUID) -> Iterator[None]:
        """A place for one request. Raises Full."""
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
        """Remember when the newest organization asked, and when any other than that did."""
        if self._newest != tenant_id:
            self._newest, self._other_at = tenant_id, self._newest_at
        self._newest_at = self._clock()

    def _has_room(self, tenant_id: UUID) -> bool:
        limit = settings.TENANT_CONCURRENCY
        if not limit or self._in_hand[tenant_id] < limit:
            return True
        others_at = self._other_at if self._newest == tenant_id else self._newest_at
        return self._clock() - others_at > ALONE_SECONDS

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
