"""Work of the provisioner, the one worker that holds the owner's credentials."""

from __future__ import annotations

from celery import shared_task

from apps.tenancy import outbox
from apps.tenancy.tasks import ContextTask

from .services import provisioning, schema_store


@outbox.subscribe(provisioning.REQUESTED)
@shared_task(bind=True, control_reason="finish provisioning")
def finish_provisioning(self: ContextTask, event_id: str) -> None:
    provisioning.finish(self.tenant_id)


@outbox.subscribe(provisioning.READY)
@shared_task(control_reason="replenish the schema store")
def replenish_after_claim(event_id: str) -> None:
    schema_store.replenish()


@shared_task(control_reason="resume provisioning")
def resume_provisioning() -> None:
    """Finish what a killed worker left, and keep the store full; runs every minute."""
    for tenant_id in provisioning.unfinished():
        provisioning.finish(tenant_id)
    schema_store.replenish()
