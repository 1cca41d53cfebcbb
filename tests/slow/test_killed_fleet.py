"""A fleet migration killed anywhere is brought to its end by the next one, and nothing is applied twice."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from apps.fleet.likeness import differences
from apps.fleet.models import MigrationRun
from apps.tenancy.context import control
from apps.tenants.locations import WARM, SchemaLocation
from tests.slow.later_release import build
from tests.slow.victims import killed_before, statements_of, was_killed
from tests.support.releases import migrate, noted, schemas

pytestmark = pytest.mark.slow
KILLS = 30


def migrate_named(*names: str) -> None:
    """What the killed process does."""
    locations = [
        SchemaLocation(database or None, schema, WARM) for database, schema in (name.split("/") for name in names)
    ]
    migrate(build(), locations, workers=2, canaries=2)


def names(locations: Iterable[SchemaLocation]) -> list[str]:
    return [f"{location.database or ''}/{location.schema}" for location in locations]


def test_fleet__killed_anywhere__converges_with_the_next_run(platform, database):
    own = platform["database"][0].database
    where = [None] * 8 + [own] * 2
    release = build()
    with schemas(*where) as locations:
        statements = statements_of(migrate_named, *names(locations))
    chance = random.Random(20_261_121)
    moments = sorted(chance.sample(range(2, statements + 1), KILLS))
    killed = 0
    for moment in moments:
        with schemas(*where) as locations:
            killed += was_killed(killed_before(moment, migrate_named, *names(locations)))

            outcome = migrate(release, locations, workers=2)

            assert outcome.is_complete, (moment, outcome.failed)
            assert all(noted(location) == [name for _, name in release.migrations[-3:]] for location in locations), (
                moment
            )
            assert differences(release, locations) == {}, moment
            with control("read"):
                assert not MigrationRun.objects.filter(status=MigrationRun.Status.RUNNING).exists(), moment
    assert killed >= KILLS * 0.9
