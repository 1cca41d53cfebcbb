"""Visiting many schemas without any server process of PostgreSQL coming to know them all.

What such a process has learned of a table it keeps until it ends: 0.1 MB for each schema that it has looked at, and
twice that where constraints, policies and defaults were spelled out. So whoever visits as many schemas as there may be
does it in slices, with a new connection for each. Connections of the application do so by themselves, between two
transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import connections

from ..postgresql.base import SCHEMAS_PER_CONNECTION

T = TypeVar("T")


def sliced(things: Iterable[T]) -> Iterator[list[T]]:
    """Things in lists of as many as one connection may visit."""
    rest = iter(things)
    while some := list(islice(rest, SCHEMAS_PER_CONNECTION)):
        yield some


def in_slices(alias: str, things: Iterable[T]) -> Iterator[list[T]]:
    """The same, for statements about many schemas; between two lists this thread's connection is renewed.

    A single list leaves the connection as it is, with the locks that it may hold.
    """
    for number, some in enumerate(sliced(things)):
        if number:
            connections[alias].close()
        yield some


def one_by_one(alias: str, things: Iterable[T]) -> Iterator[T]:
    """Things as they come, for statements about one schema each; the connection is renewed now and then."""
    for number, thing in enumerate(things):
        if number and number % SCHEMAS_PER_CONNECTION == 0:
            connections[alias].close()
        yield thing
