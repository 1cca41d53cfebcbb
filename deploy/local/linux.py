"""Two promises of the Linux kernel that keep processes from being left behind; none elsewhere."""

import ctypes
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Descendants whose parent dies become our children, so that we can find them."""
    _process_control(_SET_CHILD_SUBREAPER, 1)


def signal_when_orphaned(number: signal.Signals) -> None:
    """This process gets the signal when its parent dies, however that dies."""
    _process_control(_SET_PARENT_DEATH_SIGNAL, int(number))


def _process_control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
