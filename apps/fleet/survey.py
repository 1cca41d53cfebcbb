"""Which schemas are behind a release: one query for each database, and one for each slice of those that are."""

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
from apps.tenants.locations import SchemaLocation

log = structlog.get_logger(__name__)


class SchemaStatus(StrEnum):
    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"  # of this release: a later one has migrated it
    MISSING = "missing"  # the database has no such schema
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class SurveyedSchema:
    """How a location stands to a release."""

    location: SchemaLocation
    status: SchemaStatus
    state: SchemaState | None = None  # of those that are behind
    error: str = ""


def survey(release: Release, locations: Iterable[SchemaLocation]) -> list[SurveyedSchema]:
    """Look at every location. A database that cannot be reached is a finding, not an error."""
    by_database: dict[str | None, list[SchemaLocation]] = defaultdict(list)
    for location in locations:
        by_database[location.database].append(location)
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


def _look_at(release: Release, database: str | None, locations: list[SchemaLocation]) -> list[SurveyedSchema]:
    alias = databases.owner_alias(database)
    try:
        known = ledger.fingerprints(alias, [location.schema for location in locations])
        others = [location.schema for location in locations if known.get(location.schema) != release.fingerprint]
        applied = ledger.applied_migrations(alias, others)
    except DatabaseError as error:
        return [SurveyedSchema(location, SchemaStatus.UNREACHABLE, error=first_line(error)) for location in locations]
    finally:
        databases.close_owner(database)
    return [_compared(release, location, known.get(location.schema, ""), applied) for location in locations]


def _compared(
    release: Release, location: SchemaLocation, fingerprint: str, applied: dict[str, frozenset[MigrationKey]]
) -> SurveyedSchema:
    if fingerprint == release.fingerprint:
        return SurveyedSchema(location, SchemaStatus.CURRENT)
    if location.schema not in applied:
        return SurveyedSchema(
            location, SchemaStatus.MISSING, error="There is no such schema, or it has no migrations table."
        )
    has = applied[location.schema]
    if release.unknown(has) and not release.missing(has):
        return SurveyedSchema(location, SchemaStatus.AHEAD)
    return SurveyedSchema(location, SchemaStatus.BEHIND, SchemaState(location.schema, fingerprint, has))
