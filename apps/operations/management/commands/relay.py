from __future__ import annotations

import signal
import threading
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from psycopg.conninfo import make_conninfo

from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.outbox.relay import Relay
from apps.tenancy.tasks import publish
from apps.tenancy.walls import pooling
from apps.tenants.selectors import tenant_databases

log = structlog.get_logger(__name__)

LOOK_FOR_DATABASES_SECONDS = 10


class RunningRelay:
    """A relay in a thread of its own, for one address of one database."""

    def __init__(self, name: str, url: str) -> None:
        self.url = url
        self.stop = threading.Event()
        arguments = [make_conninfo(url, application_name="tenantry relay"), self.stop]
        relay = Relay(name, publish, lease_seconds=settings.OUTBOX_LEASE_SECONDS)
        self.thread = threading.Thread(target=relay.run, args=arguments, name=f"relay {name}")
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join()


class Command(BaseCommand):
    help = "Hand the outbox of every database to the task queue. Exit codes: 0 told to stop, 1 unsafe pooler."

    def handle(self, *args: Any, **options: Any) -> None:
        pooling.exit_if_unsafe()
        current_app.loader.import_default_modules()  # the subscriptions are declared beside the tasks
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        relays: dict[str, RunningRelay] = {}
        try:
            while not stop.is_set():
                self._match(relays)
                stop.wait(LOOK_FOR_DATABASES_SECONDS)
        finally:
            for relay in relays.values():
                relay.end()

    def _match(self, relays: dict[str, RunningRelay]) -> None:
        """Start, replace and end relays until there is one for each database there is now."""
        close_old_connections()
        try:
            wanted = _addresses()
        except DatabaseError as error:
            log.warning("relay_cannot_look_for_databases", error=str(error).strip())
            return
        for name in [n for n, r in relays.items() if r.url != wanted.get(n) or not r.thread.is_alive()]:
            relays.pop(name).end()
        for name in wanted.keys() - relays.keys():
            relays[name] = RunningRelay(name, wanted[name])
            self.stdout.write(f"relaying {name}")


def _addresses() -> dict[str, str]:
    addresses = {CONTROL_ALIAS: settings.DATABASE_DIRECT_URL}
    addresses.update({database.alias: database.url.reveal() for database in tenant_databases()})
    return addresses
