"""Processes that serve organizations, as far as they remember them: each with a directory of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

from redis.exceptions import TimeoutError as Timeout

from apps.core import memory
from apps.core.memory import MemoryAway
from apps.tenants import directory as directories
from apps.tenants.directory import Directory
from apps.tenants.models import Tenant

Key = str | UUID
Facts = tuple[tuple[Any, ...], ...]
read = directories._read  # as the database has it now


class Process:
    """Finds organizations as a request does; ``reads`` are the keys that the database was asked for."""

    def __init__(self, directory: Directory | None = None) -> None:
        self.directory = directory or Directory()
        self.reads: list[Key] = []

    def serve(self, key: Key) -> Facts:
        """What a request is told of the organization."""
        with patch.object(directories, "_read", self._read):
            entry = self.directory.find(key)
            question = self.directory.asking(entry)
            try:
                memory.ask_together(question)
            except MemoryAway:
                self.directory.doubt()
                return facts(self.directory.as_now(entry, None).tenant)
            return facts(self.directory.as_now(entry, question.answer).tenant)

    def reads_for(self, *keys: Key) -> list[Key]:
        """The keys that had to be read to serve these."""
        self.reads = []
        for key in keys:
            self.serve(key)
        return self.reads

    def _read(self, key: Key) -> Tenant | None:
        self.reads.append(key)
        return read(key)


def facts(tenant: Tenant | None) -> Facts:
    """All columns that the directory has of a tenant."""
    placement = getattr(tenant, "placement", None)
    rows = (tenant, placement, getattr(placement, "database", None), getattr(tenant, "profile", None))
    return tuple(_columns(row) for row in rows if row is not None)


@contextmanager
def memory_away() -> Iterator[None]:
    """Nobody gets an answer from memory in time, and it is asked again at once afterward."""
    with patch.object(memory, "_send", side_effect=Timeout("hung")):
        yield
    memory.breaker.reset()


def _columns(row: Any) -> tuple[Any, ...]:
    values = [getattr(row, field.attname) for field in row._meta.concrete_fields]
    return tuple(getattr(value, "encrypted", value) for value in values)
