"""The control plane's own tables: brought to the release when they are not at it, and never behind anybody's back."""

from __future__ import annotations

import threading

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError

from apps.fleet.services import control_plane
from apps.fleet.services.control_plane import migrate_control
from apps.tenancy.context import control
from apps.tenancy.planes import tenant_models
from apps.tenancy.schemas import owner
from tests.support import servers

FORGET = "DELETE FROM platform.schema_ledger WHERE schema = 'platform'"


@pytest.fixture
def forgotten(database, monkeypatch):
    """A control plane of which nobody has noted yet that it is at this release; its locks are waited for briefly."""
    monkeypatch.setattr(owner, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(owner, "PAUSE_SECONDS", 0.1)
    with servers.as_owner() as connection:
        connection.execute(FORGET)


def test_content_types__of_the_control_plane__know_every_tenant_model(forgotten):
    with control("forget a content type"):
        ContentType.objects.filter(app_label="projects", model="project").delete()

    migrate_control()

    with control("read content types"):
        known = set(ContentType.objects.values_list("app_label", "model"))
    assert {(model._meta.app_label, model._meta.model_name) for model in tenant_models()} <= known


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ("SELECT 1", 0),
        (FORGET, 1),
        ("UPDATE platform.schema_ledger SET fingerprint = 'another' WHERE schema = 'platform'", 1),
        ("UPDATE platform.django_migrations SET name = 'undone' WHERE (app, name) = ('fleet', '0001_runs')", 1),
    ],
)
def test_control_plane__is_migrated__only_when_it_is_not_at_the_release(database, monkeypatch, change, runs):
    migrate_control()
    calls = []
    monkeypatch.setattr(control_plane, "_migrate", calls.append)

    with servers.as_owner() as connection:
        connection.execute(change)
        migrate_control()
        connection.execute("UPDATE platform.django_migrations SET name = '0001_runs' WHERE name = 'undone'")

    assert len(calls) == runs


def test_locked_table__is_waited_for_a_little_and_tried_again(forgotten):
    with servers.as_owner() as connection:
        connection.execute("BEGIN; LOCK TABLE platform.django_migrations IN ACCESS EXCLUSIVE MODE")
        timer = threading.Timer(0.3, connection.execute, ["COMMIT"])
        timer.start()
        migrate_control()
        timer.join()

        noted = connection.execute("SELECT fingerprint FROM platform.schema_ledger WHERE schema = 'platform'")
        assert noted.fetchone() is not None


def test_table__that_stays_locked__ends_the_attempt(forgotten, monkeypatch):
    monkeypatch.setattr(owner, "PAUSE_SECONDS", 0.01)

    with servers.as_owner() as connection, connection.transaction():
        connection.execute("LOCK TABLE platform.django_migrations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(OperationalError, match="lock timeout"):
            migrate_control()
