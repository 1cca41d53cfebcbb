"""Logs of each kind, and what happens to them while others write."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
from django.conf import settings as django_settings
from django.db import connections
from psycopg import sql

from apps.audit import services as audit
from apps.audit.actors import SYSTEM, Origin, acting_from
from apps.audit.chain import Chain, control_chain, seal, tenant_chain
from apps.audit.verification import ChainReport, verify
from apps.tenancy.context import control, use
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement
from tests.support import servers
from tests.support.factories import Organization


@dataclass
class Log:
    """One log under test: an organization's own, or the control plane's about it."""

    organization: Organization
    kind: str

    @property
    def chain(self) -> Chain:
        if self.kind == "control":
            return control_chain(self.organization.tenant.id)
        with self.organization.inside():
            return tenant_chain()

    def inside(self) -> AbstractContextManager[Any]:
        return control("test") if self.kind == "control" else self.organization.inside()

    def record(self, count: int = 1, **metadata: Any) -> list[Any]:
        """Events in transactions of their own."""
        made = []
        for _ in range(count):
            with self.inside(), atomic():
                made.append(self._record(**metadata))
        return made

    def record_together(self, count: int) -> None:
        with self.inside(), atomic():
            for _ in range(count):
                self._record()

    def _record(self, **metadata: Any) -> Any:
        tenant = self.organization.tenant
        changes = {"price": [1.5, 2]}
        place = Origin(ip="192.0.2.7", user_agent="test")
        with acting_from(place):
            return audit.record(
                "thing.done", actor=SYSTEM, resource=tenant, tenant_id=tenant.id, changes=changes, **metadata
            )

    def seal(self) -> int:
        """Seal everything; the server's own transactions may hold the horizon back for a moment."""
        total, deadline = 0, time.monotonic() + 10
        with self.inside():
            while True:
                total += seal(self.chain)
                if not self.chain.unsealed().exists():
                    return total
                assert time.monotonic() < deadline, "events stay unsealed"
                time.sleep(0.02)

    def verify(self) -> ChainReport:
        with self.inside():
            return verify(self.chain)

    def kinds(self) -> set[str]:
        return {finding.kind.value for finding in self.verify().findings}

    def numbers(self) -> list[int]:
        with self.inside():
            return list(self.chain.seals().order_by("number").values_list("number", flat=True))

    def hashes(self) -> list[str]:
        with self.inside():
            return [bytes(link.hash).hex() for link in self.chain.in_order()]

    def sealed_ids(self) -> list[str]:
        with self.inside():
            return [str(link.event_id) for link in self.chain.in_order()]

    def tamper(self, *statements: str, **values: Any) -> None:
        """Write past all walls: in the tenant plane as the operator, in the control plane as the owner."""
        tenant_id = self.organization.tenant.id
        values["tenant"] = tenant_id
        if self.kind == "control":
            names = {"event": "public.audit_controlevent", "seal": "public.audit_controlseal"}
            with servers.as_owner() as connection:
                connection.execute("SELECT set_config('app.tenant_id', %s, false)", [str(tenant_id)])
                for statement in statements:
                    connection.execute(statement.format(**names), values)
            return
        schema = self.organization.context.schema
        names = {"event": f'"{schema}".audit_event', "seal": f'"{schema}".audit_seal'}
        with servers.as_operator(self.organization.database) as connection:
            for statement in statements:
                connection.execute(statement.format(**names), values)


THIRD = "(SELECT event_id FROM {seal} WHERE number = 3 AND tenant_id = %(tenant)s)"


def outbox_url(organization: Organization) -> str:
    place = organization.tenant._placement()
    assert place is not None
    return place.database.url.reveal() if place.database else django_settings.DATABASE_URL


@contextmanager
def open_transaction(log: Log) -> Iterator[psycopg.Connection[Any]]:
    """A transaction of another process that has recorded an event and goes on; it commits at the end."""
    context, tenant_id = log.organization.context, log.organization.tenant.id
    in_control = log.kind == "control"
    role, schema = ("app_control", "public") if in_control else ("app_tenant", context.schema)
    table = "audit_controlevent" if in_control else "audit_event"
    url = django_settings.DATABASE_URL if in_control else outbox_url(log.organization)
    insert = f"""INSERT INTO {table} (id, tenant_id, actor_type, actor_id, action, resource_type, resource_id, changes,
        metadata) VALUES (%s, %s, 'system', '', 'late', 'thing', '', '{{}}', '{{}}')"""
    with servers.connect_url(url) as connection:
        connection.execute("BEGIN")
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
        connection.execute("SELECT set_config('search_path', %s, true)", [f'"{schema}"'])
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", ["" if in_control else str(tenant_id)])
        connection.execute(insert, [uuid4(), tenant_id])
        yield connection
        connection.execute("COMMIT")


@contextmanager
def moved_away(organization: Organization) -> Iterator[None]:
    """The organization's rows are not where they should be."""
    with control("break a placement"):
        places = Placement.objects.filter(tenant=organization.tenant)
        schema = places.get().schema
        places.update(schema="t_gone")
    try:
        yield
    finally:
        with control("mend a placement"):
            places.update(schema=schema)


class in_thread:  # noqa: N801  reads as a verb
    """A thread whose error is the test's, with connections of its own."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=[work])
        self.thread.start()

    def _run(self, work: Callable[[], Any]) -> None:
        try:
            with use(None):
                work()
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def finish(self) -> None:
        self.thread.join(60)
        assert not self.thread.is_alive()
        if self.error:
            raise self.error
