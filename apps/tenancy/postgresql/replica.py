"""Cursors of a replica: what it does not answer, the primary does."""

from __future__ import annotations

from typing import Any

from django.db import OperationalError, ProgrammingError, connections
from django.db.backends.utils import CursorWrapper
from psycopg import errors

from ..replicas import health
from ..replicas.positions import primary_of

NOT_THERE = (errors.InvalidSchemaName, errors.UndefinedColumn, errors.UndefinedFunction, errors.UndefinedTable)


class ReplicaCursor(CursorWrapper):
    """Asks the primary instead when the replica is gone, or had to cancel a query to go on replaying.

    Also for what it has not got: a migration may be what it has not replayed yet.
    """

    def execute(self, sql: Any, params: Any = None) -> Any:
        try:
            return super().execute(sql, params)
        except OperationalError as error:
            self.db.close()
            self.cursor = instead_of(self.db.alias, error)
            return self.cursor.execute(sql, params)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, NOT_THERE):
                raise
            self.cursor = connections[primary_of(self.db.alias)].cursor()
            return self.cursor.execute(sql, params)


def instead_of(alias: str, error: Exception) -> Any:
    """A cursor of the primary, while the replica rests."""
    health.of(alias).rest(error)
    return connections[primary_of(alias)].cursor()
