"""The staff's page of fleet migrations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from apps.audit.models import ControlEvent
from apps.fleet.models import MigrationRun, MigrationWave, Quarantine
from apps.fleet.tasks import retry_quarantined
from apps.tenancy.context import control
from apps.tenancy.schemas.release import this_release
from tests.support import servers
from tests.support.clients import staff_browser

PAGE, RETRY = "/admin/fleet/", "/admin/fleet/retry/"


@pytest.fixture
def staff(platform, database) -> Client:
    return staff_browser(is_superuser=False)


@pytest.fixture
def stuck(acme) -> Iterator[str]:
    """A schema in quarantine, of which nobody remembers the release."""
    schema = str(acme.context.schema)
    with control("prepare"):
        run = MigrationRun.objects.create(fingerprint="f" * 32, started_by="migrate_fleet", status="incomplete")
        MigrationWave.objects.create(run=run, number=1, name="canary", schemas=3, done=3)
        MigrationWave.objects.create(run=run, number=2, name="schemas", schemas=40, done=38, failed=2)
        Quarantine.objects.create(schema=schema, fingerprint="f" * 32, error="relation <b>is locked</b>")
    note = "UPDATE platform.schema_ledger SET fingerprint = %s WHERE schema = %s"
    with servers.as_owner() as connection:
        connection.execute(note, ["", schema])
    yield schema
    with servers.as_owner() as connection:
        connection.execute(note, [this_release().fingerprint, schema])


def test_page__without_any_run__says_so(staff):
    assert "Nothing has been migrated" in staff.get(PAGE).content.decode()


def test_page__shows_runs_waves_and_the_quarantine(staff, stuck):
    page = staff.get(PAGE).content.decode()

    assert all(text in page for text in (stuck, "38 of 40", "2 failed", "done, but for those in quarantine"))
    assert "relation &lt;b&gt;is locked" in page


def test_page__with_many_schemas_in_quarantine__asks_the_same_few_questions(
    staff, stuck, django_assert_max_num_queries
):
    with control("prepare"):
        rows = [Quarantine(schema=f"t_{n}", fingerprint="f", error="locked") for n in range(200)]
        Quarantine.objects.bulk_create(rows)

    with django_assert_max_num_queries(8):
        page = staff.get(PAGE).content.decode()

    assert "201 schemas could not be migrated" in page
    assert "Those that have been here longest" in page


def test_retry__has_the_quarantined_schemas_migrated_and_is_recorded(staff, stuck):
    response = staff.post(RETRY, follow=True)
    retry_quarantined.apply(kwargs={"event_id": "1"}).get()

    assert "tried again: 1" in response.content.decode()
    with control("look"):
        assert ControlEvent.objects.filter(action="fleet.retry_requested", actor_type="staff").count() == 1
        assert not Quarantine.objects.exists()
    with servers.as_owner() as connection:
        noted = connection.execute("SELECT fingerprint FROM platform.schema_ledger WHERE schema = %s", [stuck])
        assert noted.fetchone() == (this_release().fingerprint,)


def test_retry__of_nothing__says_so(staff):
    assert "No schema is in quarantine" in staff.post(RETRY, follow=True).content.decode()


def test_retry__asked_for_by_get__is_refused(staff):
    assert staff.get(RETRY).status_code == 405


@pytest.mark.parametrize("path", [PAGE, RETRY])
def test_fleet_pages__for_strangers__ask_them_to_sign_in(platform, database, path):
    response = Client(HTTP_HOST="localhost").post(path) if path == RETRY else Client(HTTP_HOST="localhost").get(path)

    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]
