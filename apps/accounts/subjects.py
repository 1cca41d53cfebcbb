"""Members, programs and visiting staff as subjects: who asks, with what they may do."""

from __future__ import annotations

from apps.access.permissions import EVERYONE, IMPLIED, VISITING
from apps.access.subjects import API_KEY, STAFF, USER, Subject

from .models import ApiKey, Membership, SupportVisit


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
    scopes = frozenset(key.scopes)
    implied = {IMPLIED[scope] for scope in scopes & IMPLIED.keys()}
    return Subject(type=API_KEY, id=str(key.id), tenant_id=key.tenant_id, role="api_key", permissions=scopes | implied)
