"""What a fleet migration would do."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.tenancy import databases
from apps.tenancy.schemas.release import MigrationKey, Release, key_of, this_release
from apps.tenancy.schemas.replay import can_be_replayed, record
from apps.tenants.locations import SchemaLocation, all_locations

from ..survey import SchemaStatus, SurveyedSchema, survey


@dataclass
class Group:
    """Schemas that lack the same migrations, and so get the same treatment; or that cannot be looked at, and why."""

    migrations: list[str]
    is_replayed: bool
    locations: list[SchemaLocation]
    statements: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def kinds(self) -> str:
        return ", ".join(
            f"{number} {kind}" for kind, number in Counter(location.kind for location in self.locations).items()
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "migrations": self.migrations,
            "replayed": self.is_replayed,
            "schemas": [str(location) for location in self.locations],
            **({"statements": self.statements} if self.statements else {}),
            **({"error": self.error} if self.error else {}),
        }


def plan_fleet(locations: Sequence[SchemaLocation] | None = None, *, release: Release | None = None) -> list[Group]:
    """The schemas that are behind, in groups that lack the same migrations. Nothing is changed."""
    release = release or this_release()
    return [_group(release, found) for found in _alike(release, locations)]


def rehearse(locations: Sequence[SchemaLocation] | None = None, *, release: Release | None = None) -> list[Group]:
    """The same, after having done it to one schema of each group and having taken it back.

    What cannot be taken back, or depends on the rows, is not rehearsed: it has no statements.
    """
    release = release or this_release()
    groups = []
    for found in _alike(release, locations):
        group, first = _group(release, found), min(found, key=lambda one: len(one.location.tenants))
        if group.is_replayed and first.state is not None:
            alias = databases.owner_alias(first.location.database)
            group.statements = record(alias, first.state, release, keep=False).statements
        groups.append(group)
    return groups


def _alike(release: Release, locations: Sequence[SchemaLocation] | None) -> list[list[SurveyedSchema]]:
    groups: dict[frozenset[MigrationKey] | str, list[SurveyedSchema]] = defaultdict(list)
    for found in survey(release, all_locations() if locations is None else locations):
        if found.status not in (SchemaStatus.CURRENT, SchemaStatus.AHEAD):
            groups[found.state.applied if found.state else found.error].append(found)
    return list(groups.values())


def _group(release: Release, found: list[SurveyedSchema]) -> Group:
    locations, first = [f.location for f in found], found[0]
    if first.state is None:
        return Group([], False, locations, error=first.error)
    missing = release.missing(first.state.applied)
    return Group([".".join(key_of(migration)) for migration in missing], can_be_replayed(missing), locations)
