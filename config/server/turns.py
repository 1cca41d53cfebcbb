"""The requests that wait for a thread, network by network."""

from __future__ import annotations

from collections import OrderedDict, deque
from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Turns(Generic[Item]):
    """A queue in which each network has its turn: who sends many waits for themselves, not others for them."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Item]] = OrderedDict()
        self._changed = Condition()
        self._is_closed = False

    def put(self, network: str, item: Item) -> None:
        with self._changed:
            self._waiting.setdefault(network, deque()).append(item)
            self._changed.notify()

    def get(self) -> Item | None:
        """The next one, which is waited for; None once the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            if not self._waiting:
                return None
            network, items = next(iter(self._waiting.items()))
            item = items.popleft()
            if items:
                self._waiting.move_to_end(network)
            else:
                del self._waiting[network]
            return item

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
