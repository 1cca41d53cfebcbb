from __future__ import annotations

import signal
import threading
import time
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.outbox.relay import Relay
from apps.tenancy.outbox.rounds import Rounds
from apps.tenancy.tasks import publish
from apps.tenancy.walls import pooling
from apps.tenants.selectors import tenant_databases

log = structlog.get_logger(__name__)

LOOK_FOR_DATABASES_SECONDS = 10


class Command(BaseCommand):
    help = "Hand the outbox of every database to the task queue. Exit codes: 0 told to stop, 1 unsafe pooler."

    def handle(self, *args: Any, **options: Any) -> None:
        pooling.exit_if_unsafe()
        current_app.loader.import_default_modules()  # the subscriptions are declared beside the tasks
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        rounds = Rounds(lambda name: Relay(name, publish, lease_seconds=settings.OUTBOX_LEASE_SECONDS))
        try:
            self._relay(rounds, stop)
        finally:
            rounds.end()

    def _relay(self, rounds: Rounds, stop: threading.Event) -> None:
        look_at = 0.0
        while not stop.is_set():
            if time.monotonic() >= look_at:
                self._match(rounds)
                look_at = time.monotonic() + LOOK_FOR_DATABASES_SECONDS
            rounds.turn()

    def _match(self, rounds: Rounds) -> None:
        """Relay the databases that there are now."""
        close_old_connections()
        try:
            wanted = _addresses()
        except DatabaseError as error:
            log.warning("relay_cannot_look_for_databases", error=str(error).strip())
            return
        for name in rounds.match(wanted):
            self.stdout.write(f"relaying {name}")


def _addresses() -> dict[str, str]:
    addresses = {CONTROL_ALIAS: settings.DATABASE_DIRECT_URL}
    addresses.update({database.alias: database.url.reveal() for database in tenant_databases()})
    return addresses
