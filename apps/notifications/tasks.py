from __future__ import annotations

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.urls import reverse

from apps.accounts.selectors import find_member, owners_of
from apps.accounts.services import make_password_token
from apps.tenancy import outbox
from apps.tenancy.context import current_tenant
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain
from apps.tenants.services.provisioning import READY

from .services import send_email


@outbox.subscribe(READY)
@shared_task(autoretry_for=(OSError,), retry_backoff=True, max_retries=10)  # mail servers come and go
def send_welcome_email(event_id: str) -> None:
    """Tell the owners of a new organization where it is."""
    tenant_id = current_tenant().tenant_id
    domain = primary_domain(tenant_id)
    for owner in owners_of(tenant_id):
        address = link(domain.domain, _path_for(owner.user_id, tenant_id))
        context = {"organization": domain.tenant.name, "address": address, "email": owner.email}
        send_email(to=owner.email, template="welcome", context=context, message_id=f"{event_id}.{owner.id}")


def _path_for(user_id: UUID, tenant_id: UUID) -> str:
    """Where an owner goes: to sign in, or to set a password first. The proof is made when the mail is sent."""
    member = find_member(user_id, tenant_id)
    if member is None or member.has_usable_password():
        return "/sign-in/"
    proof = {"user_id": user_id, "token": make_password_token(member)}
    return reverse("set-password", kwargs=proof, urlconf=settings.ROOT_URLCONF)
