"""Whether schemas look to PostgreSQL as a new one would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from django.conf import settings

from apps.tenancy import databases
from apps.tenancy.schemas import shape
from apps.tenancy.schemas.release import Release
from apps.tenancy.schemas.slices import in_slices
from apps.tenants.locations import SchemaLocation

Progress = Callable[[int], None]


def differences(
    release: Release, locations: Iterable[SchemaLocation], progress: Progress = lambda _: None
) -> dict[SchemaLocation, list[str]]:
    """The locations that are unlike a new schema, with what differs: "+ …" is too much, "- …" is lacking.

    ``progress`` is told how many more have been compared.
    """
    digest, lines = shape.reference(databases.owner_alias(), release, operator=settings.DATABASE_OPERATOR_ROLE)
    by_database: dict[str | None, list[SchemaLocation]] = defaultdict(list)
    for location in locations:
        by_database[location.database].append(location)
    unlike: dict[SchemaLocation, list[str]] = {}
    for database, here in by_database.items():
        alias = databases.owner_alias(database)
        for some in in_slices(alias, here):
            digests = shape.digests(alias, [location.schema for location in some])
            for location in some:
                if digests.get(location.schema) != digest:
                    unlike[location] = _compare(shape.lines(alias, location.schema), lines)
            progress(len(some))
        databases.close_owner(database)
    return unlike


def _compare(has: set[str], should: set[str]) -> list[str]:
    too_much = [f"+ {line}" for line in sorted(has - should)]
    return too_much + [f"- {line}" for line in sorted(should - has)]
