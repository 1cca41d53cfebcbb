"""Which of their generated cases the long tests try: a share in `make test`, all in `make test-whole`.

A test that loops over its cases is marked ``sampled``, one that is parametrized ``sampled(3)`` for a third of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar
from zlib import crc32

import pytest

PLACEMENTS = ("pool", "schema", "database")
WHOLE = os.environ.get("TEST_CASES") == "whole"

T = TypeVar("T")


def in_turn(cases: Iterable[T], placement: str) -> list[T]:
    """Each case in one of the three placements, so that together they try all of them."""
    return list(cases) if WHOLE else list(cases)[PLACEMENTS.index(placement) :: len(PLACEMENTS)]


def a_third(cases: Iterable[T]) -> list[T]:
    return list(cases) if WHOLE else list(cases)[::3]


def is_left_out(item: pytest.Item) -> bool:
    """Whether a parametrized case is none of its test's share, the same in every run."""
    mark = item.get_closest_marker("sampled")
    return not WHOLE and mark is not None and bool(mark.args) and crc32(item.nodeid.encode()) % mark.args[0] > 0
