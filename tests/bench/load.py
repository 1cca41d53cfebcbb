"""A load that comes at its own pace, whether it is answered or not: one request every so many seconds."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

from .report import percentile

THREADS = 24


@dataclass
class Stream:
    """Requests for one path, ``rate`` a second; ``waits`` are the milliseconds from when each was due."""

    port: int
    path: str
    headers: Sequence[dict[str, str]]  # of one request after the other, in turn
    rate: float
    source: str = "127.0.0.1"
    waits: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    _due: Iterator[tuple[float, dict[str, str]]] = field(default_factory=lambda: iter(()))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def p(self, percent: float) -> float:
        return percentile(self.waits, percent)

    def run(self, seconds: float) -> Stream:
        """Send for so long; what was due is waited for."""
        with self.going_on():
            time.sleep(seconds)
        return self

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Send until the block is left."""
        self._due = self._times(time.perf_counter() + 0.1)
        threads = [threading.Thread(target=self._send) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _times(self, start: float) -> Iterator[tuple[float, dict[str, str]]]:
        for number, headers in enumerate(cycle(self.headers)):
            if self._over.is_set():
                return
            yield start + number / self.rate, headers

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=(self.source, 0))
        while True:
            with self._lock:
                due, headers = next(self._due, (None, {}))
            if due is None or self._over.wait(max(0.0, due - time.perf_counter())):
                break
            try:
                connection.request("GET", self.path, headers=headers)
                response = connection.getresponse()
                response.read()
                status = response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            with self._lock:
                self.waits.append((time.perf_counter() - due) * 1000)
                self.statuses[status] += 1
        connection.close()


if __name__ == "__main__":
    port, path, rate, seconds, headers = sys.argv[1:]
    Stream(int(port), path, [json.loads(headers)], float(rate)).run(float(seconds))
