"""Sharing one thing with one member."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from apps.access.decisions import authorize
from apps.access.models import Share
from apps.access.permissions import PROJECTS_SHARE, RELATION_GRANTS, Relation
from apps.access.subjects import FULL_SIGHT, Subject
from apps.audit import services as audit
from apps.audit.actors import SYSTEM, Actor
from apps.tenancy.replicas.positions import show_everybody
from apps.tenancy.transactions import atomic

from ..errors import BeyondOwnRights, MemberNotFound, ShareNotFound
from ..models import Membership


def own(*, actor: Subject, resource: Any) -> None:
    """Make the person who created a thing its owner, in the caller's transaction."""
    if actor.user_id is not None:
        kind, object_id = resource.share_keys()[0]
        Share.objects.create(
            user_id=actor.user_id,
            relation=Relation.OWNER,
            object_type=kind,
            object_id=object_id,
            created_by_id=actor.user_id,
        )


def share(*, actor: Subject, resource: Any, user_id: UUID, relation: str) -> Share:
    """Give a member a relation to a thing, or another one than before.

    What somebody may do with a part of a private thing for having made it ends with their sight of the whole, so they
    hand it on only if they may share the whole. Raises MemberNotFound, BeyondOwnRights.
    """
    kind, object_id = resource.share_keys()[0]
    if not Membership.objects.filter(tenant_id=actor.tenant_id, user_id=user_id).exists():
        raise MemberNotFound(field="user_id")
    if resource.is_private and _has_as_maker(actor, resource):
        _check_may_share_whole(actor, resource)
    with atomic():
        held = Share.objects.select_for_update().filter(user_id=user_id, object_type=kind, object_id=object_id).first()
        before = held.relation if held else None
        _check_reach(actor, resource, relation, before)
        given, _ = Share.objects.update_or_create(
            user_id=user_id,
            object_type=kind,
            object_id=object_id,
            defaults={"relation": relation},
            create_defaults={"relation": relation, "created_by_id": actor.user_id},
        )
        if before != relation:
            _record("share.granted", actor, resource, user_id, [before, relation])
    return given


def unshare(*, actor: Subject, resource: Any, user_id: UUID) -> None:
    """Raises ShareNotFound, BeyondOwnRights."""
    kind, object_id = resource.share_keys()[0]
    with atomic():
        held = Share.objects.select_for_update().filter(user_id=user_id, object_type=kind, object_id=object_id).first()
        if held is None:
            raise ShareNotFound
        _check_reach(actor, resource, held.relation)
        held.delete()
        _record("share.withdrawn", actor, resource, user_id, [held.relation, None])
        if resource.is_private:
            withdraw_made(actor=actor, resource=resource)


def withdraw_made(*, actor: Subject, resource: Any) -> None:
    """Take from those who do not see a private thing any more what they own in it by having made it.

    In the caller's transaction. What somebody else gave them is theirs.
    """
    parts = {part.id: part for part in resource.parts()}
    [(kind, object_id)] = resource.share_keys()[:1]
    seeing = Share.objects.filter(object_type=kind, object_id=object_id).values("user_id")
    full_sight = Membership.objects.filter(tenant_id=actor.tenant_id, role__in=FULL_SIGHT).values_list(
        "user_id", flat=True
    )
    made = Share.objects.select_for_update().filter(object_id__in=parts, created_by_id=F("user_id"))
    for held in made.exclude(user_id__in=seeing).exclude(user_id__in=list(full_sight)):
        held.delete()
        _record("share.withdrawn", actor, parts[held.object_id], held.user_id, [held.relation, None])


def forget(keys: list[tuple[str, UUID]]) -> None:
    """Remove all relations to things that are being deleted, in the caller's transaction."""
    for kind, object_id in keys:
        Share.objects.filter(object_type=kind, object_id=object_id).delete()


def withdraw_all(*, user_id: UUID, before: datetime) -> None:
    """Take from somebody who left what they had before: invited again they start with nothing."""
    with atomic():
        for held in Share.objects.select_for_update().filter(user_id=user_id, created_at__lte=before):
            _record("share.withdrawn", SYSTEM, held, user_id, [held.relation, None])
            held.delete()


def _check_reach(actor: Subject, resource: Any, *relations: str | None) -> None:
    """Nobody gives or takes more than they may do with the thing themselves."""
    actions = set().union(*(RELATION_GRANTS[relation] for relation in relations if relation))
    if not all(authorize(actor, action, resource) for action in actions):
        raise BeyondOwnRights(field="relation")


def _has_as_maker(actor: Subject, resource: Any) -> bool:
    kind, object_id = resource.share_keys()[0]
    made = Share.objects.filter(object_type=kind, object_id=object_id, created_by_id=F("user_id"))
    return actor.user_id is not None and made.filter(user_id=actor.user_id).exists()


def _check_may_share_whole(actor: Subject, resource: Any) -> None:
    whole = resource.whole()
    if whole is not None and not authorize(actor, PROJECTS_SHARE, whole):
        raise BeyondOwnRights(field="relation")


def _record(action: str, actor: Actor, resource: Any, user_id: UUID, change: list[str | None]) -> None:
    show_everybody()
    audit.record(action, actor=actor, resource=resource, changes={"relation": change}, user_id=str(user_id))
