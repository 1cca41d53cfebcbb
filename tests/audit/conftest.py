"""Logs to record in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from celery import current_app
from django.conf import settings as django_settings

from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.outbox.relay import OutboxEvent, Relay

from .logs import Log, outbox_url
from .relaying import Copies, perform


@pytest.fixture(params=["pool", "schema", "database", "control"])
def log(platform, database, request) -> Log:
    return Log(platform.get(request.param, platform["schema"])[0], request.param)


@pytest.fixture
def acme_log(acme) -> Log:
    return Log(acme, "schema")


@pytest.fixture
def file_sink(settings, tmp_path) -> Copies:
    """The only sink."""
    settings.AUDIT_SINKS = [f"file://{tmp_path}/events.jsonl"]
    return Copies(tmp_path / "events.jsonl")


@pytest.fixture
def relayed(platform, database) -> Callable[..., list[Any]]:
    """Hands over what is in a log's outbox and runs the tasks, as relay and worker do: the errors they ended with."""
    current_app.loader.import_default_modules()
    for organization in [pair[0] for pair in platform.values()]:
        with psycopg.connect(outbox_url(organization), autocommit=True) as connection, connection.transaction():
            connection.execute("SET LOCAL ROLE app_relay")
            connection.execute("DELETE FROM platform.outbox")

    def relay(log: Log, *, publish: bool = True, backwards: bool = False) -> list[Any]:
        sent: list[tuple[str, OutboxEvent]] = []
        url = django_settings.DATABASE_URL if log.kind == "control" else outbox_url(log.organization)
        database = CONTROL_ALIAS if log.kind == "control" else log.organization.context.alias
        with psycopg.connect(url, autocommit=True) as connection:
            relay = Relay(database, lambda task, events: sent.extend((task, e) for e in events), lease_seconds=60)
            while relay.deliver(connection):
                with connection.transaction():  # each is handled by itself here, and holds nothing up
                    connection.execute("SET LOCAL ROLE app_relay")
                    connection.execute("UPDATE platform.outbox SET stage = 'alone'")
        if not publish:
            return [event.payload for _, event in sent]
        return [perform(task, event) for task, event in (reversed(sent) if backwards else sent)]

    return lambda *args, **options: [result for result in relay(*args, **options) if result is not None]
