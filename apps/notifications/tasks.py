"""Mails about organizations and people. Secrets of their links are made when they are written."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.urls import reverse

from apps.access.subjects import NOBODY
from apps.accounts.models import Invitation, Membership
from apps.accounts.selectors import find_member, find_person, memberships_of, names_of, owners_of
from apps.accounts.services.invitations import INVITATION_REQUESTED, make_token
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
from apps.tenants.branding import brand_of
from apps.tenants.links import link
from apps.tenants.models import Profile
from apps.tenants.selectors import primary_domain, profile_of
from apps.tenants.services.profiles import logo_token
from apps.tenants.services.provisioning import TENANT_READY

from . import services
from .services import send_email_once

SHOWN_IN_MAILS = frozenset({"image/png", "image/jpeg"})
PERSISTENT: dict[str, Any] = {  # mail servers come and go
    "autoretry_for": (OSError,),
    "retry_backoff": True,
    "max_retries": 10,
}


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
            path = _path("set-password", user_id=owner.user_id, token=make_password_token(member))
        _send("welcome", to=owner.email, key=f"{event_id}.{owner.id}", path=path, member=owner, email=owner.email)


@outbox.subscribe(INVITATION_REQUESTED)
@shared_task(**PERSISTENT)
def send_invitation(event_id: str, invitation_id: str, generation: int) -> None:
    """Mail the link with which somebody becomes a member, unless it is void by now."""
    tenant_id = current_tenant().tenant_id
    invitation = Invitation.objects.filter(
        tenant_id=tenant_id, id=invitation_id, generation=generation, accepted_at=None, revoked_at=None
    ).first()
    if invitation is not None:
        inviter = invitation.invited_by_id or NOBODY
        by = names_of(tenant_id, {inviter}).get(inviter, "")
        path = _path("accept-invitation", token=make_token(invitation))
        _send("invitation", to=invitation.email, key=event_id, path=path, invited_by=by)


@outbox.subscribe(RESET_REQUESTED)
@shared_task(**PERSISTENT)
def send_password_reset(event_id: str, user_id: str) -> None:
    """Mail the link with which a member sets a new password."""
    member = find_member(UUID(user_id), current_tenant().tenant_id)
    if member is not None:
        path = _path("set-password", user_id=member.pk, token=make_password_token(member))
        _send("password_reset", to=member.email, key=event_id, path=path, member=member.membership)


@outbox.subscribe(VERIFICATION_REQUESTED)
@shared_task(**PERSISTENT)
def send_verification(event_id: str, user_id: str) -> None:
    """Mail the link that proves a member's address."""
    member = find_member(UUID(user_id), current_tenant().tenant_id)
    if member is not None:
        path = _path("verify-email", token=make_verification_token(member))
        _send("verification", to=member.email, key=event_id, path=path, member=member.membership)


@outbox.subscribe(LOOKUP_REQUESTED)
@shared_task(control_reason="tell somebody their organizations", **PERSISTENT)
def send_organizations(event_id: str, user_id: str) -> None:
    """Mail somebody the addresses of the organizations they belong to."""
    person = find_person(user_id)
    if person is not None:
        memberships = memberships_of(person)
        found = [(m.tenant.name, link(primary_domain(m.tenant_id).domain)) for m in memberships]
        reader = Reader.of(*((m.locale, m.time_zone) for m in memberships))
        send_email_once(
            to=person.email, template="organizations", context={"links": found}, key=event_id, reader=reader
        )


@shared_task(control_reason="clear old mail notes")
def clear_old_notes() -> None:
    """Forget which mails went out long ago; runs every day."""
    services.clear_old_notes()


def _send(template: str, *, to: str, key: str, path: str, member: Membership | None = None, **context: Any) -> None:
    """Write to a member, or to somebody of whom the organization knows no language but its own."""
    tenant_id = current_tenant().tenant_id
    profile, domain = profile_of(tenant_id), primary_domain(tenant_id)
    context |= {"organization": profile.name, "address": link(domain.domain, path)}
    own = (member.locale, member.time_zone) if member else ("", "")
    reader = Reader.of(own, (profile.locale, profile.time_zone))
    brand = brand_of(profile, _logo_address(profile, domain.domain))
    send_email_once(to=to, template=template, context=context, key=key, brand=brand, reader=reader)


def _logo_address(profile: Profile, host: str) -> str:
    """Where mail programs get the logo; nowhere if it is of a kind they do not show, or would not come by https."""
    if settings.PUBLIC_SCHEME != "https" or profile.logo_type not in SHOWN_IN_MAILS:
        return ""
    return link(host, _path("mailed-logo", token=logo_token(profile)))


def _path(name: str, **kwargs: Any) -> str:
    return reverse(name, kwargs=kwargs, urlconf=settings.ROOT_URLCONF)
