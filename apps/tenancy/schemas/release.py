"""What a release of the code expects of every tenant's schema: its tenant-plane migrations, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from .migration_planes import apps_with_tenant_models, only_tenant_plane

MigrationKey = tuple[str, str]


@dataclass(frozen=True)
class Way:
    """The state of the models to begin with, and migrations in order: those to run, and those that only add to it."""

    state: ProjectState
    steps: tuple[tuple[Migration, bool], ...]


class Release:
    """The migrations of all apps that have, or had, tenant-plane models, in the order in which they apply.

    Of an app that has models in both planes only what is done to those of the tenant plane counts: no reference crosses
    planes, so the others need not even be rendered.
    """

    def __init__(self, plan: Sequence[Migration]) -> None:
        self._plan = tuple(plan)
        self._labels = frozenset(migration.app_label for migration in plan)

    @cached_property
    def migrations(self) -> tuple[MigrationKey, ...]:
        return tuple(map(key_of, self._plan))

    @cached_property
    def fingerprint(self) -> str:
        """The same for two releases exactly if they expect the same migrations: 32 hexadecimal digits."""
        return fingerprint_of(self.migrations)

    def missing(self, applied: frozenset[MigrationKey]) -> tuple[Migration, ...]:
        """The migrations that a schema lacks, squashed ones that it has piece by piece excepted."""
        return tuple(migration for migration in self._tenant_plan if not _has(applied, migration))

    def unknown(self, applied: frozenset[MigrationKey]) -> frozenset[MigrationKey]:
        """Migrations that a schema has and this release does not know: another release's, or half a squashed one."""
        known = set(self.migrations).union(*(_replaced(m) for m in self._plan if _replaced(m) <= applied))
        return frozenset(key for key in applied - known if key[0] in self._labels)

    def way(self, missing: Sequence[Migration]) -> Way:
        """From a schema that lacks just these migrations to this release."""
        state, lacking = ProjectState(), set(map(key_of, missing))
        plan = self._tenant_plan
        first = next((n for n, m in enumerate(plan) if key_of(m) in lacking), len(plan))
        for migration in plan[:first]:
            state = migration.mutate_state(state, preserve=False)
        return Way(state, tuple((m, key_of(m) in lacking) for m in plan[first:]))

    def followed_by(self, *migrations: Migration) -> Release:
        """A later release, with further migrations."""
        return Release([*self._plan, *migrations])

    @cached_property
    def _tenant_plan(self) -> tuple[Migration, ...]:
        return only_tenant_plane(self._plan)


def fingerprint_of(names: Iterable[tuple[str, str]]) -> str:
    lines = sorted(f"{first}.{second}" for first, second in names)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def key_of(migration: Migration) -> MigrationKey:
    return migration.app_label, migration.name


@lru_cache(maxsize=1)
def migrations_on_disk() -> MigrationLoader:
    """The migrations of all apps, of both planes, that this process's code has."""
    return MigrationLoader(None)


@lru_cache(maxsize=1)
def this_release() -> Release:
    """The release that this process runs."""
    loader = migrations_on_disk()
    labels = apps_with_tenant_models(loader.graph.nodes.values())
    leaves = [node for node in loader.graph.leaf_nodes() if node[0] in labels]
    plan = loader.graph._generate_plan(leaves, True)  # type: ignore[attr-defined]
    return Release([loader.get_migration(*key) for key in plan if key[0] in labels])


def _has(applied: frozenset[MigrationKey], migration: Migration) -> bool:
    replaced = _replaced(migration)
    return key_of(migration) in applied or bool(replaced and replaced <= applied)


def _replaced(migration: Migration) -> set[MigrationKey]:
    return {(app, name) for app, name in migration.replaces}
