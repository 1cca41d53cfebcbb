"""Mails about organizations and people. Secrets of their links are made when they are written."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.access.subjects import NOBODY
from apps.accounts.selectors import find_member, find_person, memberships_of, names_of, owners_of
from apps.accounts.services.invitations import INVITATION_REQUESTED, make_token, to_be_mailed
from apps.accounts.services.lookup import LOOKUP_REQUESTED
from apps.accounts.services.people import (
    RESET_REQUESTED,
    VERIFICATION_REQUESTED,
    make_password_token,
    make_verification_token,
)
from apps.core.locales import Reader
from apps.tenancy import outbox
from apps.tenancy.context import current_tenant
from apps.tenants.links import link
from apps.tenants.selectors import primary_domain
from apps.tenants.services.provisioning import TENANT_READY

from . import services
from .letters import PERSISTENT, path_to, send
from .mails import INVITATION, ORGANIZATIONS, PASSWORD_RESET, VERIFICATION, WELCOME
from .services import send_email_once


@outbox.subscribe(TENANT_READY)
@shared_task(**PERSISTENT)
def send_welcome_email(event_id: str) -> None:
    """Tell the owners of a new organization where it is."""
    tenant_id = current_tenant().tenant_id
    for owner in owners_of(tenant_id):
        member = find_member(owner.user_id, tenant_id)
        if member is None or member.has_usable_password():
            path = "/sign-in/"
        else:
            path = path_to("set-password", user_id=owner.user_id, token=make_password_token(member))
        send(WELCOME, to=owner.email, key=f"{event_id}.{owner.id}", path=path, member=owner, email=owner.email)


@outbox.subscribe(INVITATION_REQUESTED)
@shared_task(**PERSISTENT)
def send_invitation(event_id: str, invitation_id: str, generation: int) -> None:
    """Mail the link with which somebody becomes a member, unless it is void by now."""
    tenant_id = current_tenant().tenant_id
    invitation = to_be_mailed(tenant_id=tenant_id, invitation_id=UUID(invitation_id), generation=generation)
    if invitation is not None:
        inviter = invitation.invited_by_id or NOBODY
        by = names_of(tenant_id, {inviter}).get(inviter, "")
        path = path_to("accept-invitation", token=make_token(invitation))
        send(INVITATION, to=invitation.email, key=event_id, path=path, invited_by=by)


@outbox.subscribe(RESET_REQUESTED)
@shared_task(**PERSISTENT)
def send_password_reset(event_id: str, user_id: str) -> None:
    """Mail the link with which a member sets a new password; nothing where the address was nobody's."""
    member = find_member(UUID(user_id), current_tenant().tenant_id) if user_id else None
    if member is not None:
        path = path_to("set-password", user_id=member.pk, token=make_password_token(member))
        send(PASSWORD_RESET, to=member.email, key=event_id, path=path, member=member.membership)


@outbox.subscribe(VERIFICATION_REQUESTED)
@shared_task(**PERSISTENT)
def send_verification(event_id: str, user_id: str) -> None:
    """Mail the link that proves a member's address."""
    member = find_member(UUID(user_id), current_tenant().tenant_id)
    if member is not None:
        path = path_to("verify-email", token=make_verification_token(member))
        send(VERIFICATION, to=member.email, key=event_id, path=path, member=member.membership)


@outbox.subscribe(LOOKUP_REQUESTED)
@shared_task(control_reason="tell somebody their organizations", **PERSISTENT)
def send_organizations(event_id: str, user_id: str) -> None:
    """Mail somebody the addresses of the organizations they belong to; nothing where the address was nobody's."""
    person = find_person(user_id) if user_id else None
    if person is not None:
        memberships = memberships_of(person)
        found = [(m.tenant.name, link(primary_domain(m.tenant_id).domain)) for m in memberships]
        reader = Reader.of(*((m.locale, m.time_zone) for m in memberships))
        send_email_once(
            to=person.email, template=ORGANIZATIONS.name, context={"links": found}, key=event_id, reader=reader
        )


@shared_task(control_reason="clear old mail notes")
def clear_old_notes() -> None:
    """Forget which mails went out long ago; runs every day."""
    services.clear_old_notes()
