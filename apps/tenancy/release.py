"""What a release of the code expects of every tenant's schema: its tenant-plane migrations, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from .planes import tenant_models

MigrationKey = tuple[str, str]


@dataclass(frozen=True)
class Way:
    """The state of the models to begin with, and migrations in order: those to run, and those that only add to it."""

    state: ProjectState
    steps: tuple[tuple[Migration, bool], ...]


class Release:
    """The migrations of all apps with tenant-plane models, and what they depend on.

    Of other apps only the state is needed: their tables stand in the control plane.
    """

    def __init__(self, plan: Sequence[Migration], labels: frozenset[str]) -> None:
        self._plan = tuple(plan)
        self._labels = labels

    @cached_property
    def migrations(self) -> tuple[MigrationKey, ...]:
        """The tenant-plane migrations in the order in which they apply."""
        return tuple(key_of(migration) for migration in self._plan if self._is_ours(migration))

    @cached_property
    def fingerprint(self) -> str:
        """The same for two releases exactly if they expect the same migrations: 32 hexadecimal digits."""
        lines = sorted(f"{app}.{name}" for app, name in self.migrations)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

    def missing(self, applied: frozenset[MigrationKey]) -> tuple[Migration, ...]:
        """The migrations that a schema lacks, squashed ones that it has piece by piece excepted."""
        return tuple(m for m in self._plan if self._is_ours(m) and not _has(applied, m))

    def unknown(self, applied: frozenset[MigrationKey]) -> frozenset[MigrationKey]:
        """Migrations that a schema has and this release does not know: another release's, or half a squashed one."""
        known = set(self.migrations).union(*(_replaced(m) for m in self._plan if _replaced(m) <= applied))
        return frozenset(key for key in applied - known if key[0] in self._labels)

    def way(self, missing: Sequence[Migration]) -> Way:
        """From a schema that lacks just these migrations to this release."""
        state, lacking = ProjectState(), set(map(key_of, missing))
        first = next((n for n, m in enumerate(self._plan) if key_of(m) in lacking), len(self._plan))
        for migration in self._plan[:first]:
            state = migration.mutate_state(state, preserve=False)
        return Way(state, tuple((m, key_of(m) in lacking) for m in self._plan[first:]))

    def followed_by(self, *migrations: Migration) -> Release:
        """A later release, with further migrations."""
        return Release([*self._plan, *migrations], self._labels)

    def _is_ours(self, migration: Migration) -> bool:
        return migration.app_label in self._labels


def key_of(migration: Migration) -> MigrationKey:
    return migration.app_label, migration.name


@lru_cache(maxsize=1)
def this_release() -> Release:
    """The release that this process runs."""
    loader = MigrationLoader(None)
    labels = frozenset(model._meta.app_label for model in tenant_models())
    leaves = [node for node in loader.graph.leaf_nodes() if node[0] in labels]
    plan = loader.graph._generate_plan(leaves, True)  # type: ignore[attr-defined]
    return Release([loader.get_migration(*key) for key in plan], labels)


def _has(applied: frozenset[MigrationKey], migration: Migration) -> bool:
    replaced = _replaced(migration)
    return key_of(migration) in applied or bool(replaced and replaced <= applied)


def _replaced(migration: Migration) -> set[MigrationKey]:
    return {(app, name) for app, name in migration.replaces}
