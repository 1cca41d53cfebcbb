"""The migrations of the example product in either project, and those of the releases to come that a benchmark wrote."""

from __future__ import annotations

import os

__path__ = [*os.environ["BENCH_MIGRATIONS"].split(os.pathsep)]
