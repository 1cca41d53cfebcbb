"""What this process knows of each replica: how far it is, and whether it is worth asking."""

from __future__ import annotations

import math
import threading
import time
from functools import lru_cache

import structlog
from django.conf import settings
from django.db import DatabaseError, connections

from ..context import use

log = structlog.get_logger(__name__)

KEPT_SECONDS = 0.25
LOOK_AGAIN_SECONDS = 0.02  # for a reader whose write was not there just now
REST_SECONDS = 5.0

# A replica that receives nothing may be far behind without knowing it: then the age of its last transaction counts.
LOOK = """SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint,
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 END"""


class ReplicaHealth:
    """One replica. After a failure nobody asks it again until it has had a rest."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self._lock = threading.Lock()
        self._replayed = 0
        self._is_good = False
        self._looked_at = -math.inf
        self._rests_until = -math.inf

    def has(self, position: int) -> bool:
        """Whether it may be read by somebody who must see what was written up to a position."""
        now = time.monotonic()
        if now < self._rests_until:
            return False
        age = now - self._looked_at
        if age > KEPT_SECONDS or (position > self._replayed and age > LOOK_AGAIN_SECONDS):
            self._look_once()
        return self._is_good and position <= self._replayed

    def rest(self, reason: Exception) -> None:
        """Leave it alone for a while: it failed."""
        if time.monotonic() >= self._rests_until:
            log.warning("replica_rests", replica=self.alias, reason=str(reason).strip())
        self._rests_until = time.monotonic() + REST_SECONDS
        self._is_good = False

    def forget(self) -> None:
        self._looked_at = self._rests_until = -math.inf
        self._is_good = False

    def _look_once(self) -> None:
        """Look, unless another thread does: this one goes by what was known before."""
        if self._lock.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._lock.release()

    def _look(self) -> None:
        try:
            with use(None), connections[self.alias].cursor() as cursor:
                cursor.execute(LOOK)
                follows, self._replayed, lag = cursor.fetchone()
        except DatabaseError as error:
            self.rest(error)
            return
        self._looked_at = time.monotonic()
        if self._looked_at >= self._rests_until:  # else the primary answered in its stead
            self._is_good = follows and lag is not None and lag <= settings.DATABASE_REPLICA_MAX_LAG


@lru_cache(maxsize=4096)
def of(alias: str) -> ReplicaHealth:
    return ReplicaHealth(alias)
