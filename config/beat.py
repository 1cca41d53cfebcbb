"""The clock of periodic tasks, whose notes are only a cache of when each ran last."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import structlog
from celery.beat import PersistentScheduler

log = structlog.get_logger(__name__)


class RebuildingScheduler(PersistentScheduler):
    """Sets notes aside that cannot be read, and begins new ones: every task is then due once its interval is over."""

    def setup_schedule(self) -> None:
        try:
            super().setup_schedule()
        except Exception:  # what a broken file raises is the affair of whatever database wrote it
            log.warning("beat_schedule_set_aside", exc_info=True)
            self._set_aside()
            super().setup_schedule()

    def _set_aside(self) -> None:
        with contextlib.suppress(Exception):
            self._store.close()
        self._store: Any = None
        for suffix in self.known_suffixes:
            path = Path(f"{self.schedule_filename}{suffix}")
            if path.exists():
                path.replace(path.with_name(f"{path.name}.broken"))
