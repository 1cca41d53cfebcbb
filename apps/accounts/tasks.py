from __future__ import annotations

from datetime import datetime
from uuid import UUID

from celery import shared_task

from apps.access.services.attempts import clear_old_attempts
from apps.access.services.idempotency import clear_expired_calls
from apps.core.memory import MemoryAway
from apps.tenancy import outbox
from apps.tenancy.tasks import ContextTask, retrying

from . import revocation
from .services import members, sharing
from .services.handoff import clear_expired_codes
from .services.tokens import clear_expired_tokens
from .sessions import SessionStore


@shared_task(control_reason="clear what has expired")
def clear_expired() -> None:
    """Remove what is of no use any more; runs every hour."""
    SessionStore.clear_expired()
    clear_expired_codes()
    clear_expired_tokens()
    clear_expired_calls()
    clear_old_attempts()


@outbox.subscribe(members.MEMBERSHIP_ENDED)
@shared_task
def withdraw_shares(event_id: str, user_id: str, before: str) -> None:
    """Take the relations to projects and documents from somebody who is no member any more."""
    sharing.withdraw_all(user_id=UUID(user_id), before=datetime.fromisoformat(before))


@outbox.subscribe(revocation.RIGHTS_CHANGED)
@shared_task(
    bind=True,
    control_reason="publish rights",
    # A store that is back may take a void token for good until it is told. Twenty minutes are longer than it keeps
    # what it knew.
    **retrying(MemoryAway, attempts=240, longest_pause=5),
)
def republish_rights(self: ContextTask, event_id: str, member_id: str = "", family_id: str = "") -> None:
    """Tell the in-memory store of changed rights, in case it was away when they changed."""
    revocation.republish(
        tenant_id=self.tenant_id,
        member_id=UUID(member_id) if member_id else None,
        family_id=UUID(family_id) if family_id else None,
    )
