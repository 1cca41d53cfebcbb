from __future__ import annotations

import signal
import threading
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from psycopg.conninfo import make_conninfo

from apps.tenancy.context import CONTROL_ALIAS
from apps.tenancy.relay import Relay
from apps.tenancy.tasks import publish
from apps.tenants.selectors import tenant_databases

LOOK_FOR_DATABASES_SECONDS = 10


class Command(BaseCommand):
    help = "Hand the outbox of every database to the task queue, until told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        current_app.loader.import_default_modules()  # the subscriptions are declared beside the tasks
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        relays: dict[str, threading.Thread] = {}
        while not stop.is_set():
            for name, url in _addresses().items():
                if name not in relays:
                    relay = Relay(name, make_conninfo(url, application_name="tenantry relay"), publish)
                    relays[name] = threading.Thread(target=relay.run, args=[stop], name=f"relay {name}")
                    relays[name].start()
                    self.stdout.write(f"relaying {name}")
            stop.wait(LOOK_FOR_DATABASES_SECONDS)
            dead = [name for name, thread in relays.items() if not thread.is_alive()]
            if dead and not stop.is_set():
                stop.set()
                raise CommandError(f"The relay of {', '.join(dead)} has died; its last error is above.")
        for thread in relays.values():
            thread.join()


def _addresses() -> dict[str, str]:
    addresses = {CONTROL_ALIAS: settings.DATABASE_DIRECT_URL}
    addresses.update({database.alias: database.url.reveal() for database in tenant_databases()})
    return addresses
