"""Which schemas are behind a release: one query for each database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import psycopg
import structlog
from django.conf import settings
from django.db import DatabaseError

from apps.core.errors import first_line
from apps.tenancy import databases
from apps.tenancy.schemas import ledger, owner, server
from apps.tenancy.schemas.release import MigrationKey, Release
from apps.tenancy.schemas.replay import SchemaState
from apps.tenants.schemas import Place

log = structlog.get_logger(__name__)


class Standing(StrEnum):
    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"  # of this release: a later one has migrated it
    MISSING = "missing"  # the database has no such schema
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Found:
    """How a place stands to a release."""

    place: Place
    standing: Standing
    state: SchemaState | None = None  # of those that are behind
    error: str = ""


def survey(release: Release, places: Iterable[Place]) -> list[Found]:
    """Look at every place. A database that cannot be reached is a finding, not an error."""
    by_database: dict[str | None, list[Place]] = defaultdict(list)
    for place in places:
        by_database[place.database].append(place)
    return [found for database, some in by_database.items() for found in _look_at(release, database, some)]


def prepare_ledgers(names: Iterable[str | None]) -> None:
    """Have a ledger in each database that can be reached, those made by an earlier release included."""
    for name in names:
        try:
            owner.patiently(partial(_upgrade, name))
        except psycopg.OperationalError as error:  # its schemas will fail, with errors of their own; others go on
            log.warning("platform_not_upgraded", database=name or "default", error=first_line(error))


def _upgrade(name: str | None) -> None:
    with psycopg.connect(databases.owner_url(name), autocommit=True) as connection:
        server.upgrade_platform(connection, operator=settings.DATABASE_OPERATOR_ROLE)


def _look_at(release: Release, database: str | None, places: list[Place]) -> list[Found]:
    alias = databases.owner_alias(database)
    try:
        known = ledger.fingerprints(alias)
        others = [place.schema for place in places if known.get(place.schema) != release.fingerprint]
        applied = ledger.applied_migrations(alias, others)
    except DatabaseError as error:
        return [Found(place, Standing.UNREACHABLE, error=first_line(error)) for place in places]
    finally:
        databases.close_owner(database)
    return [_found(release, place, known.get(place.schema, ""), applied) for place in places]


def _found(release: Release, place: Place, fingerprint: str, applied: dict[str, frozenset[MigrationKey]]) -> Found:
    if fingerprint == release.fingerprint:
        return Found(place, Standing.CURRENT)
    if place.schema not in applied:
        return Found(place, Standing.MISSING, error="There is no such schema, or it has no migrations table.")
    has = applied[place.schema]
    if release.unknown(has) and not release.missing(has):
        return Found(place, Standing.AHEAD)
    return Found(place, Standing.BEHIND, SchemaState(place.schema, fingerprint, has))
