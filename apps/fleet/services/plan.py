"""What a fleet migration would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.tenancy import databases
from apps.tenancy.release import MigrationKey, Release, key_of, this_release
from apps.tenancy.schema_migrations import can_be_replayed, record

from ..rollout.places import Place, all_places
from ..rollout.survey import Found, Standing, survey


@dataclass
class Group:
    """Schemas that lack the same migrations, and so get the same treatment."""

    migrations: list[str]
    is_replayed: bool
    places: list[Place]
    statements: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> str:
        return ", ".join(f"{number} {kind}" for kind, number in Counter(place.kind for place in self.places).items())

    def as_json(self) -> dict[str, Any]:
        return {
            "migrations": self.migrations,
            "replayed": self.is_replayed,
            "schemas": [str(place) for place in self.places],
            **({"statements": self.statements} if self.statements else {}),
        }


def plan_fleet(places: Sequence[Place] | None = None, *, release: Release | None = None) -> list[Group]:
    """The schemas that are behind, in groups that lack the same migrations. Nothing is changed."""
    release = release or this_release()
    return [_group(release, has, found) for has, found in _alike(release, places).items()]


def rehearse(places: Sequence[Place] | None = None, *, release: Release | None = None) -> list[Group]:
    """The same, after having done it to one schema of each group and having taken it back.

    What cannot be taken back, or depends on the rows, is not rehearsed: it has no statements.
    """
    release = release or this_release()
    groups = []
    for has, found in _alike(release, places).items():
        group, first = _group(release, has, found), found[0]
        if group.is_replayed and first.state is not None:
            alias = databases.owner_alias(first.place.database)
            group.statements = record(alias, first.state, release, keep=False).statements
        groups.append(group)
    return groups


def _alike(release: Release, places: Sequence[Place] | None) -> dict[frozenset[MigrationKey], list[Found]]:
    groups: dict[frozenset[MigrationKey], list[Found]] = defaultdict(list)
    for found in survey(release, all_places() if places is None else places):
        if found.standing == Standing.BEHIND and found.state is not None:
            groups[found.state.applied].append(found)
    return groups


def _group(release: Release, has: frozenset[MigrationKey], found: list[Found]) -> Group:
    missing = release.missing(has)
    names = [".".join(key_of(migration)) for migration in missing]
    return Group(names, can_be_replayed(missing), [f.place for f in found])
