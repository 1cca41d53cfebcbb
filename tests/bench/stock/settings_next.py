"""The stock project with further migrations."""

from .settings import *  # noqa: F403

MIGRATION_MODULES = {"projects": "tests.bench.next_release"}
