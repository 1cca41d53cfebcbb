"""What a fleet migration would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.tenancy import databases
from apps.tenancy.schemas.release import MigrationKey, Release, key_of, this_release
from apps.tenancy.schemas.replay import can_be_replayed, record
from apps.tenants.schemas import Place, all_places

from ..survey import Found, Standing, survey


@dataclass
class Group:
    """Schemas that lack the same migrations, and so get the same treatment; or that cannot be looked at, and why."""

    migrations: list[str]
    is_replayed: bool
    places: list[Place]
    statements: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def kinds(self) -> str:
        return ", ".join(f"{number} {kind}" for kind, number in Counter(place.kind for place in self.places).items())

    def as_json(self) -> dict[str, Any]:
        return {
            "migrations": self.migrations,
            "replayed": self.is_replayed,
            "schemas": [str(place) for place in self.places],
            **({"statements": self.statements} if self.statements else {}),
            **({"error": self.error} if self.error else {}),
        }


def plan_fleet(places: Sequence[Place] | None = None, *, release: Release | None = None) -> list[Group]:
    """The schemas that are behind, in groups that lack the same migrations. Nothing is changed."""
    release = release or this_release()
    return [_group(release, found) for found in _alike(release, places)]


def rehearse(places: Sequence[Place] | None = None, *, release: Release | None = None) -> list[Group]:
    """The same, after having done it to one schema of each group and having taken it back.

    What cannot be taken back, or depends on the rows, is not rehearsed: it has no statements.
    """
    release = release or this_release()
    groups = []
    for found in _alike(release, places):
        group, first = _group(release, found), min(found, key=lambda one: len(one.place.tenants))
        if group.is_replayed and first.state is not None:
            alias = databases.owner_alias(first.place.database)
            group.statements = record(alias, first.state, release, keep=False).statements
        groups.append(group)
    return groups


def _alike(release: Release, places: Sequence[Place] | None) -> list[list[Found]]:
    groups: dict[frozenset[MigrationKey] | str, list[Found]] = defaultdict(list)
    for found in survey(release, all_places() if places is None else places):
        if found.standing not in (Standing.CURRENT, Standing.AHEAD):
            groups[found.state.applied if found.state else found.error].append(found)
    return list(groups.values())


def _group(release: Release, found: list[Found]) -> Group:
    places, first = [f.place for f in found], found[0]
    if first.state is None:
        return Group([], False, places, error=first.error)
    missing = release.missing(first.state.applied)
    return Group([".".join(key_of(migration)) for migration in missing], can_be_replayed(missing), places)
