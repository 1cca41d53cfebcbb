"""A fleet migration killed anywhere is brought to its end by the next one, and nothing is applied twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest

from apps.fleet.models import MigrationRun
from apps.fleet.rollout.likeness import differences
from apps.fleet.rollout.places import Place
from apps.tenancy.context import control
from tests.fleet import migrate, noted, schemas
from tests.slow.later_release import build

pytestmark = pytest.mark.slow
KILLS = 30

VICTIM = """
import os, signal, sys
import django
django.setup()
import psycopg
from apps.fleet.rollout.places import WARM, Place
from tests.fleet import migrate
from tests.slow.later_release import build

left = int(sys.argv[1])

def counting(execute):
    def counted(self, *args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(self, *args, **kwargs)
    return counted

psycopg.Cursor.execute = counting(psycopg.Cursor.execute)
places = [Place(database or None, schema, WARM) for database, schema in (one.split("/") for one in sys.argv[2:])]
migrate(build(), places, workers=2, canaries=2)
print(int(sys.argv[1]) - left)
"""


def run(places: list[Place], statements: int) -> subprocess.CompletedProcess[str]:
    """Migrate in a process that is killed before its n-th statement."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"}
    names = [f"{place.database or ''}/{place.schema}" for place in places]
    arguments = [sys.executable, "-c", VICTIM, str(statements), *names]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)


def test_fleet__killed_anywhere__converges_with_the_next_run(platform, database):
    own = platform["database"][0].database
    where = [None] * 8 + [own] * 2
    with schemas(*where) as places:
        whole = run(places, 10**9)
        statements = int(whole.stdout.splitlines()[-1])
        release = build()
    chance = random.Random(20_261_121)
    moments = sorted(chance.sample(range(2, statements + 1), KILLS))
    killed = 0
    for moment in moments:
        with schemas(*where) as places:
            killed += run(places, moment).returncode == -signal.SIGKILL

            outcome = migrate(release, places, workers=2)

            assert outcome.is_complete, (moment, outcome.failed)
            assert all(noted(place) == [name for _, name in release.migrations[-3:]] for place in places), moment
            assert differences(release, places) == {}, moment
            with control("read"):
                assert not MigrationRun.objects.filter(status=MigrationRun.Status.RUNNING).exists(), moment
    assert killed >= KILLS * 0.9
