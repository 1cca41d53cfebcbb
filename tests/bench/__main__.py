"""``python -m tests.bench [NAME…]``: JSON lines on stdout, progress on stderr; all benchmarks without a name."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

from . import (
    bulkhead,
    clients,
    directory,
    fleet,
    growth,
    leaks,
    listing,
    local_stripe,
    messages,
    outbox,
    processor,
    provisioning,
    replica,
    scale,
    servers,
)
from .report import say

BENCHMARKS: dict[str, Callable[[servers.Servers], None]] = {
    benchmark.NAME: benchmark.run
    for benchmark in (
        provisioning,
        messages,
        processor,
        listing,
        clients,
        bulkhead,
        leaks,
        fleet,
        growth,
        directory,
        replica,
        scale,
        outbox,
        local_stripe,
    )
}


def main() -> int:
    """Run the named benchmarks; 2 for a name that there is not. What a failed run leaves is there to be looked at."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"error: no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    say("starting durable servers")
    try:
        started = servers.start()
        for name in names:
            BENCHMARKS[name](started)
    finally:
        servers.stop()
    servers.remove()
    say("done")
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


sys.exit(main())
