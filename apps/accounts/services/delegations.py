"""What members have handed on: keys for programs, invitations. It ends with them."""

from __future__ import annotations

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import Actor

from ..models import ApiKey, Invitation, Membership, User


def end_all(membership: Membership, *, actor: Actor, because: str) -> None:
    """In the caller's control-plane transaction, for a membership that ends."""
    tenant_id, user_id = membership.tenant_id, membership.user_id
    keys = ApiKey.objects.select_for_update().filter(tenant_id=tenant_id, created_by_id=user_id, revoked_at=None)
    for key in keys:
        revoke_key(key, actor=actor, because=because, whose=membership.email)
    sent = Invitation.objects.select_for_update(of=("self",)).select_related("custom_role")
    for invitation in sent.filter(tenant_id=tenant_id, invited_by_id=user_id, accepted_at=None, revoked_at=None):
        revoke_invitation(invitation, actor=actor, because=because, whose=membership.email)


def end_everywhere(person: User, *, actor: Actor, because: str) -> None:
    """In the caller's control-plane transaction, for an account that turns out to be somebody else's."""
    for membership in Membership.objects.filter(user=person):
        end_all(membership, actor=actor, because=because)


def revoke_key(key: ApiKey, *, actor: Actor, **why: str) -> None:
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    changes = {"name": [key.name, None], "scopes": [key.scopes, None]}
    maker = str(key.created_by_id or "")
    audit.record(
        "api_key.revoked", actor=actor, resource=key, tenant_id=key.tenant_id, changes=changes, user_id=maker, **why
    )


def revoke_invitation(invitation: Invitation, *, actor: Actor, **why: str) -> None:
    invitation.revoked_at = timezone.now()
    invitation.save(update_fields=["revoked_at"])
    changes = {"email": [invitation.email, None], "role": [invitation.role_name, None]}
    sender, tenant_id = str(invitation.invited_by_id or ""), invitation.tenant_id
    audit.record(
        "invitation.revoked",
        actor=actor,
        resource=invitation,
        tenant_id=tenant_id,
        changes=changes,
        user_id=sender,
        **why,
    )
