"""Ending what somebody is signed in with: browsers' sessions and API clients' token families."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .. import revocation
from ..errors import SessionNotFound
from ..models import HandoffCode, Membership, Session, TokenFamily, User
from . import visits


def note_sign_in(actor: Subject) -> None:
    """Record that a browser has been signed in."""
    _note("session.started", actor)


def note_sign_out(actor: Subject) -> None:
    """Record that a browser has been signed out."""
    _note("session.ended", actor)


def revoke_session(*, actor: Subject, session_id: UUID) -> None:
    """End one of one's own sessions here, of a browser or an API client. Raises SessionNotFound."""
    with control("revoke a session"), atomic():
        own = {"tenant_id": actor.tenant_id, "user_id": actor.user_id, "id": session_id}
        session = Session.objects.filter(**own).first()
        family = TokenFamily.objects.filter(**own, revoked_at=None).first()
        ended: Any = session or family
        if ended is None:
            raise SessionNotFound
        if session is not None:
            session.delete()
        if family is not None:
            end_families(id=family.id)
        audit.record("session.revoked", actor=actor, resource=_membership(actor), tenant_id=actor.tenant_id)


def sign_out_everywhere(*, actor: Subject) -> None:
    """End all of one's sessions and tokens in this organization, the one in use included."""
    with control("sign out everywhere"), atomic():
        end_all(tenant_id=actor.tenant_id, user_id=actor.person_id)
        audit.record("session.all_revoked", actor=actor, resource=_membership(actor), tenant_id=actor.tenant_id)


def end_all(*, tenant_id: UUID, user_id: UUID) -> None:
    """In the caller's control-plane transaction. A code that would sign them in is no way back, either."""
    HandoffCode.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()
    Session.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()
    end_families(tenant_id=tenant_id, user_id=user_id)


def end_everywhere(user: User) -> None:
    """All sessions, visits and tokens of a person everywhere, in the caller's control-plane transaction."""
    visits.end_all(user)
    HandoffCode.objects.filter(user=user).delete()
    Session.objects.filter(user_id=user.pk).delete()
    end_families(user_id=user.pk)


def end_families(**which: Any) -> None:
    families = list(TokenFamily.objects.select_for_update().filter(revoked_at=None, **which))
    TokenFamily.objects.filter(id__in=[family.id for family in families]).update(revoked_at=timezone.now())
    revocation.publish_end(families)


def _note(action: str, actor: Subject) -> None:
    if actor.is_authenticated:
        with control("note a sign-in or sign-out"), atomic():
            audit.record(action, actor=actor, resource=_membership(actor), tenant_id=actor.tenant_id)


def _membership(actor: Subject) -> Membership:
    return Membership.objects.get(tenant_id=actor.tenant_id, user_id=actor.person_id)
