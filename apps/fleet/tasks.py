"""Fleet work that staff asks for. It is done by the process that holds the owner's credentials."""

from __future__ import annotations

from celery import shared_task

from apps.audit.actors import SYSTEM
from apps.tenancy import outbox

from .services import migration


@outbox.subscribe(migration.MIGRATION_RETRY_REQUESTED, alone=True)
@shared_task(control_reason="retry quarantined schemas")
def retry_quarantined(event_id: str) -> None:
    migration.migrate_fleet(actor=SYSTEM, locations=migration.quarantined_locations())
