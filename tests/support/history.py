"""A month of life in an organization and on the platform, for pictures: what was done just now is spread over it."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta

from apps.accounts.roles import Assigned
from apps.accounts.services import invitations
from apps.audit.actors import SYSTEM
from apps.projects.services import projects
from apps.tenancy.context import control
from apps.tenants import traffic
from apps.tenants.models import Tenant
from apps.tenants.services import lifecycle, schema_store
from apps.tenants.traffic import Figures
from tests.support import servers
from tests.support.browsing import Scene
from tests.support.factories import add_document, add_project, create_organization

DAYS = 30
ACTS = 140
DESCRIPTION = "Everything for the new site, from the briefing to the launch."
MORE_PROJECTS = ("Customer interviews", "Price list 2027", "Warehouse", "Trade fair")
NEIGHBORS = ("Borealis Labs", "Copper & Co", "Delta Freight", "Everbloom", "Fjord Analytics", "Gable Studio")


def a_month_passes(scene: Scene) -> None:
    """Many small acts, spread over the days before; a weekend is quieter."""
    organization = scene.organization
    for name in MORE_PROJECTS:
        add_document(organization, add_project(organization, name), b"a page of text\n" * 900)
    with organization.inside():
        for number in range(ACTS):
            text = f"Draft {number}"
            projects.update_project(actor=organization.subject, project=scene.project, description=text)
        projects.update_project(actor=organization.subject, project=scene.project, description=DESCRIPTION)
        invitations.invite(actor=organization.subject, email="kai@example.com", role=Assigned("viewer"))
    _spread(organization.home.schema)


def neighbors_move_in(scene: Scene) -> None:
    """Other organizations, created some days apart, and an hour of requests to all of them."""
    neighbors = [create_organization(name, placement="pool" if name < "D" else "schema").tenant for name in NEIGHBORS]
    tenants = [scene.organization.tenant, *neighbors]
    lifecycle.hold(slug=tenants[-1].slug, reason="Unpaid since October", actor=SYSTEM)
    now = datetime.now(UTC)
    with control("spread the sign-ups"):
        for number, tenant in enumerate(tenants):
            days = (number * 7 + number * number) % DAYS
            Tenant.objects.filter(id=tenant.id).update(created_at=now - timedelta(days=days, hours=3))
    schema_store.replenish()
    _an_hour_of_requests([tenant.id.hex for tenant in tenants])


def _spread(schema: str) -> None:
    with servers.connect_url(servers.administrator_url(_database())) as connection:
        events = connection.execute(f'SELECT id FROM "{schema}".audit_event ORDER BY occurred_at DESC').fetchall()
        for number, (event,) in enumerate(events):
            connection.execute(
                f'UPDATE "{schema}".audit_event SET occurred_at = %s WHERE id = %s', [_when(number), event]
            )
        rows = connection.execute(f'SELECT id FROM "{schema}".projects_project ORDER BY created_at DESC').fetchall()
        for number, (project,) in enumerate(rows):
            moment = datetime.now(UTC) - timedelta(hours=5 * 2**number)
            connection.execute(
                f'UPDATE "{schema}".projects_project SET created_at = %s WHERE id = %s', [moment, project]
            )


def _when(number: int) -> datetime:
    """The time of an event, the newest first: the last ones today, then some each day."""
    now = datetime.now(UTC)
    if number < 6:
        return now - timedelta(minutes=4 + 11 * number)
    days = DAYS * (number - 6) / ACTS * (1 + 0.12 * math.sin(number))
    moment = now - timedelta(days=min(days, DAYS - 1), hours=2)
    return moment - timedelta(days=moment.weekday() - 3) if moment.weekday() > 4 and number % 3 else moment


def _an_hour_of_requests(tenants: list[str]) -> None:
    this_minute = int(time.time()) // traffic.MINUTE
    for minute in range(60):
        wave = 1 + 0.4 * math.sin(minute / 7) + 0.15 * math.sin(minute * 1.7)
        figures = {
            tenant: Figures(
                requests=round(90 * wave / (number + 1)),
                errors=1 if (minute + 5 * number) % 41 == 0 else 0,
                ms=round(2400 * wave / (number + 1)),
                queries=round(260 * wave / (number + 1)),
                bytes=round(1_400_000 * wave / (number + 1)),
            )
            for number, tenant in enumerate(tenants)
        }
        traffic._add(this_minute - minute, figures, 0)


def _database() -> str:
    with servers.as_owner() as connection:
        return str(connection.info.dbname)
