"""Work on all organizations. Provisioning is done by the one worker that holds the owner's credentials."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.core.memory import MemoryAway
from apps.tenancy import outbox
from apps.tenancy.tasks import ContextTask, retrying

from . import directory
from .services import provisioning, schema_store

log = structlog.get_logger(__name__)


@outbox.subscribe(provisioning.TENANT_REQUESTED, alone=True)
@shared_task(bind=True, control_reason="finish provisioning")
def finish_provisioning(self: ContextTask, event_id: str) -> None:
    provisioning.finish(self.tenant_id)


@outbox.subscribe(provisioning.TENANT_READY, alone=True)
@shared_task(control_reason="replenish the schema store")
def replenish_after_claim(event_id: str) -> None:
    schema_store.replenish()


@shared_task(control_reason="resume provisioning")
def resume_provisioning() -> None:
    """Keep the store full, and finish what a killed worker left; runs every minute."""
    schema_store.replenish()
    for tenant_id in provisioning.unfinished():
        try:
            provisioning.finish(tenant_id)
        except Exception:
            log.exception("provisioning_failed", tenant_id=str(tenant_id))  # the others do not wait for this one


@outbox.subscribe(directory.DIRECTORY_CHANGED)
@shared_task(
    control_reason="tell of changed tenants",
    **retrying(MemoryAway, attempts=100, longest_pause=10),
)
def tell_of_changed_tenants(event_id: str) -> None:
    directory.tell()
