"""Work on all organizations. Provisioning is done by the one worker that holds the owner's credentials."""

from __future__ import annotations

import structlog
from celery import shared_task

from apps.core.memory import MemoryAway
from apps.tenancy import outbox
from apps.tenancy.tasks import ContextTask, retrying

from . import directory, refilling
from .services import provisioning

log = structlog.get_logger(__name__)


@outbox.subscribe(provisioning.TENANT_REQUESTED, alone=True)
@shared_task(bind=True, control_reason="finish provisioning")
def finish_provisioning(self: ContextTask, event_id: str) -> None:
    provisioning.finish(self.tenant_id)


@outbox.subscribe(provisioning.TENANT_READY)
@shared_task(control_reason="ask for the schema store to be replenished")
def replenish_after_claim(event_id: str) -> None:
    """Any worker does this; only what it sends, at most once for all claims meanwhile, needs the provisioner."""
    refilling.ask(replenish_store.delay)


@shared_task(control_reason="replenish the schema store", **retrying(MemoryAway, attempts=100, longest_pause=10))
def replenish_store() -> None:
    try:
        refilling.begin()
    finally:
        provisioning.look_after_store()


@shared_task(control_reason="resume provisioning")
def resume_provisioning() -> None:
    """Keep the store full, and finish what a killed worker left; runs every minute."""
    provisioning.look_after_store()
    for tenant_id in provisioning.unfinished():
        try:
            provisioning.finish(tenant_id)
        except Exception:
            log.exception("provisioning_failed", tenant_id=str(tenant_id))  # the others do not wait for this one


@outbox.subscribe(directory.DIRECTORY_CHANGED)
@shared_task(
    bind=True,
    control_reason="tell of changed tenants",
    **retrying(MemoryAway, attempts=100, longest_pause=10),
)
def tell_of_changed_tenants(self: ContextTask, event_id: str) -> None:
    directory.tell([self.about])
