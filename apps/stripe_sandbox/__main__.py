"""`python -m apps.stripe_sandbox --port P --data FILE`."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

ALLOWED = frozenset({"development", "test"})


def main() -> int:
    arguments = _parse()
    refusal = reason_to_refuse(dict(os.environ))
    if refusal:
        print(f"stripe_sandbox: {refusal}", file=sys.stderr)  # noqa: T201 - a command talks
        return 2
    # Only now: what follows reads stripe-python, which takes a moment.
    from apps.stripe_sandbox.server import Sandbox  # noqa: PLC0415

    logging.basicConfig(level=logging.WARNING, format="stripe_sandbox: %(message)s")
    arguments.data.parent.mkdir(parents=True, exist_ok=True)
    gc.set_threshold(50_000, 50, 50)  # Objects are trees of dicts, by the hundred thousand, without a cycle.
    sandbox = Sandbox(arguments.data, arguments.port)
    print(f"stripe_sandbox: {sandbox.url}", flush=True)  # noqa: T201
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        sandbox.close()
    return 0


def reason_to_refuse(environment: dict[str, str]) -> str | None:
    """Why it must not run here: it stands in for money, so it runs in development and tests only."""
    place = environment.get("ENVIRONMENT", "production")
    if place not in ALLOWED:
        return f"refuses to start where ENVIRONMENT is {place}: set it to development or test"
    for name, value in environment.items():
        if value.startswith(("sk_live_", "rk_live_")):
            return f"refuses to start beside a live key ({name})"
    return None


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m apps.stripe_sandbox", description="A local Stripe for development and tests."
    )
    parser.add_argument("--port", type=int, default=12111, help="port on 127.0.0.1 (0: any)")
    parser.add_argument(
        "--data", type=Path, default=Path("var/stripe_sandbox.sqlite3"), help="file that keeps everything"
    )
    return parser.parse_args()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
