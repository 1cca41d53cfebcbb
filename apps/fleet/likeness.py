"""Whether schemas look to PostgreSQL as a new one would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.conf import settings

from apps.tenancy import databases
from apps.tenancy.schemas import shape
from apps.tenancy.schemas.release import Release
from apps.tenants.schemas import Place


def differences(release: Release, places: Iterable[Place]) -> dict[Place, list[str]]:
    """The places that are unlike a new schema, with what differs: "+ …" is too much, "- …" is lacking."""
    digest, lines = shape.reference(databases.owner_alias(), release, operator=settings.DATABASE_OPERATOR_ROLE)
    by_database: dict[str | None, list[Place]] = defaultdict(list)
    for place in places:
        by_database[place.database].append(place)
    unlike: dict[Place, list[str]] = {}
    for database, some in by_database.items():
        alias = databases.owner_alias(database)
        digests = shape.digests(alias, [place.schema for place in some])
        for place in some:
            if digests.get(place.schema) != digest:
                unlike[place] = _compare(shape.lines(alias, place.schema), lines)
        databases.close_owner(database)
    return unlike


def _compare(has: set[str], should: set[str]) -> list[str]:
    too_much = [f"+ {line}" for line in sorted(has - should)]
    return too_much + [f"- {line}" for line in sorted(should - has)]
