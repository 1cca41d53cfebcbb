"""A fleet migration killed anywhere is brought to its end by the next one, and nothing is applied twice."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from apps.fleet.likeness import differences
from apps.fleet.models import MigrationRun
from apps.tenancy.context import control
from apps.tenants.schemas import WARM, Place
from tests.fleet import migrate, noted, schemas
from tests.slow.later_release import build
from tests.slow.victims import killed_before, statements_of, was_killed

pytestmark = pytest.mark.slow
KILLS = 30


def migrate_named(*names: str) -> None:
    """What the killed process does."""
    places = [Place(database or None, schema, WARM) for database, schema in (name.split("/") for name in names)]
    migrate(build(), places, workers=2, canaries=2)


def names(places: Iterable[Place]) -> list[str]:
    return [f"{place.database or ''}/{place.schema}" for place in places]


def test_fleet__killed_anywhere__converges_with_the_next_run(platform, database):
    own = platform["database"][0].database
    where = [None] * 8 + [own] * 2
    release = build()
    with schemas(*where) as places:
        statements = statements_of(migrate_named, *names(places))
    chance = random.Random(20_261_121)
    moments = sorted(chance.sample(range(2, statements + 1), KILLS))
    killed = 0
    for moment in moments:
        with schemas(*where) as places:
            killed += was_killed(killed_before(moment, migrate_named, *names(places)))

            outcome = migrate(release, places, workers=2)

            assert outcome.is_complete, (moment, outcome.failed)
            assert all(noted(place) == [name for _, name in release.migrations[-3:]] for place in places), moment
            assert differences(release, places) == {}, moment
            with control("read"):
                assert not MigrationRun.objects.filter(status=MigrationRun.Status.RUNNING).exists(), moment
    assert killed >= KILLS * 0.9
