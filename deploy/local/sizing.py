"""Settings of the embedded PostgreSQL that depend on how much is in it, and on where it runs."""

import os
import sys
from pathlib import Path

MAX_CONNECTIONS = 200
FEWEST_LOCKS = 512  # for 12,000 schemas, should they all be made before the next start
FILES_PER_LOCK = 2
"""A dump locks each table, which has five files with its indexes: so there is room for two and a half times as many."""
SYNCFS_SINCE, PROGRESS_SINCE = 14, 15  # versions of PostgreSQL


def sized(cluster: Path, major: int) -> dict[str, str]:
    """The settings for what the cluster holds now; it is counted, so that a crash leaves nothing to be wrong."""
    locks = relation_files(cluster) // FILES_PER_LOCK // MAX_CONNECTIONS
    settings = {
        "max_connections": str(MAX_CONNECTIONS),
        "max_locks_per_transaction": str(max(FEWEST_LOCKS, locks)),
    }
    if major >= SYNCFS_SINCE and sys.platform == "linux":
        settings["recovery_init_sync_method"] = "syncfs"  # one call after a crash, not one for each file
    if major >= PROGRESS_SINCE:
        settings["log_startup_progress_interval"] = "1s"
    return settings


def relation_files(cluster: Path) -> int:
    """How many tables and indexes all databases of a cluster have on disk; a fraction of a second for 400,000."""
    databases = [entry.path for entry in os.scandir(cluster / "base") if entry.is_dir()]
    return sum(entry.name.isdigit() for database in databases for entry in os.scandir(database))
