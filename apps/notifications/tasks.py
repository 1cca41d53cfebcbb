from __future__ import annotations

from celery import shared_task

from apps.accounts.selectors import owners_of
from apps.tenancy import outbox
from apps.tenancy.context import current_tenant
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain
from apps.tenants.services.provisioning import READY

from .services import send_email


@outbox.subscribe(READY)
@shared_task
def send_welcome_email(event_id: str) -> None:
    """Tell the owners of a new organization where it is."""
    tenant_id = current_tenant().tenant_id
    domain = primary_domain(tenant_id)
    address = link(domain.domain, "/sign-in/")
    for owner in owners_of(tenant_id):
        context = {"organization": domain.tenant.name, "address": address, "email": owner.email}
        send_email(to=owner.email, template="welcome", context=context, message_id=f"{event_id}.{owner.id}")
