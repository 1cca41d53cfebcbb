"""Who asks: members, programs and visiting staff as subjects."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.utils.functional import SimpleLazyObject

from apps.access.permissions import EVERYONE, IMPLIED, VISITING
from apps.access.subjects import ANONYMOUS, API_KEY, STAFF, USER, Subject
from apps.tenancy.context import Context, current, use

from .models import ApiKey, Invitation, Membership, SupportVisit, User


def of_membership(membership: Membership) -> Subject:
    return Subject(
        type=USER,
        id=str(membership.user_id),
        tenant_id=membership.tenant_id,
        role=membership.role,
        permissions=membership.permissions | EVERYONE,
    )


def of_visit(visit: SupportVisit) -> Subject:
    return Subject(type=STAFF, id=str(visit.user_id), tenant_id=visit.tenant_id, role="visitor", permissions=VISITING)


def of_api_key(key: ApiKey) -> Subject:
    granted = key.permissions
    implied = {IMPLIED[scope] for scope in granted & IMPLIED.keys()}
    return Subject(type=API_KEY, id=str(key.id), tenant_id=key.tenant_id, role="api_key", permissions=granted | implied)


def of_sender(invitation: Invitation) -> Subject:
    """Whoever sent it last, with what they may do now; nobody if they are gone."""
    key, member = invitation.sender_key, invitation.sender
    if invitation.invited_by_key_id is not None:
        return of_api_key(key) if key is not None and key.is_live else ANONYMOUS
    return of_membership(member) if member is not None and member.user.is_active else ANONYMOUS


def attach(request: Any) -> None:
    """Have ``request.subject`` say who asks by the browser's session.

    They are looked up when somebody first wants to know, in the context of now.
    """
    request.subject = SimpleLazyObject(partial(_of_session, request, current()))


def _of_session(request: Any, context: Context) -> Subject:
    if request.visit is not None:
        return of_visit(request.visit)
    with use(context):
        user = request.user
        if isinstance(user, User) and user.membership is not None:
            return of_membership(user.membership)
    return ANONYMOUS
