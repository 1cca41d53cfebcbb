"""Our project with further migrations."""

from config.settings import *  # noqa: F403

MIGRATION_MODULES = {"projects": "tests.bench.next_release"}
