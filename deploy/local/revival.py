"""The embedded servers are started again when they die."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from deploy.local.environment import Environment
from deploy.local.errors import LaunchError

LOOK_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0


@contextlib.contextmanager
def kept_alive(environment: Environment, say: Callable[[str], None]) -> Iterator[None]:
    """Within the block, embedded servers that die come back."""
    ending = threading.Event()
    watch = threading.Thread(target=_watch, args=(environment, say, ending), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ending.set()
        watch.join()


def _watch(environment: Environment, say: Callable[[str], None], ending: threading.Event) -> None:
    pause = LOOK_SECONDS
    while not ending.wait(pause):
        try:
            for name in environment.revive():
                say(f"{name} had died and was started again")
            pause = LOOK_SECONDS
        except (LaunchError, OSError) as error:
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            say(f"a server does not start again ({error}): next try in {pause:g} s")
