"""What a benchmark prints: JSON lines on stdout, progress on stderr."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

BEGAN = time.monotonic()


@dataclass(frozen=True)
class Aim:
    """The largest value that is good enough, or the smallest."""

    at_most: float = math.inf
    at_least: float = -math.inf

    def met(self, value: float) -> bool:
        """Whether the value is good enough."""
        return self.at_least <= value <= self.at_most

    def __str__(self) -> str:
        bounds = ((">=", self.at_least), ("<=", self.at_most))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if math.isfinite(bound))


def say(text: str) -> None:
    """Print progress."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", file=sys.stderr, flush=True)


def measured(
    benchmark: str,
    case: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    aim: Aim | None = None,
    **more: Any,
) -> None:
    """Print one measurement; ``baseline`` is the same thing done by stock in the same run."""
    line = {
        "benchmark": benchmark,
        "case": case,
        "value": _rounded(value),
        "unit": unit,
        "baseline": None if baseline is None else _rounded(baseline),
        "ratio": _rounded(value / baseline, 3) if baseline else None,
        "aim": str(aim) if aim else None,
        "met": aim.met(value) if aim else None,
    }
    _print(line | more)


def skipped(benchmark: str, reason: str) -> None:
    """Say that a benchmark, or a part of it, could not run."""
    say(f"SKIPPED {benchmark}: {reason}")
    _print({"benchmark": benchmark, "skipped": reason})


def percentile(samples: list[float], percent: float) -> float:
    """The smallest sample that is at least as large as so many percent of them."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _rounded(value: float, digits: int = 2) -> float:
    return round(value, digits)


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)
