"""The one place where it is decided who may do what, with the reasons.

Everything is denied unless the role (or a custom role, or a key's scopes) grants it for the whole organization,
or a relation grants it for the one thing. Attribute rules can only take away from what the role grants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.utils.translation import gettext as _

from .errors import MissingPermission
from .models import Share
from .permissions import RELATION_GRANTS
from .subjects import Subject


@dataclass(frozen=True)
class Reason:
    """What one rule said: ``allows`` is None when it had nothing to say."""

    rule: str
    allows: bool | None
    detail: str


@dataclass(frozen=True)
class Decision:
    allowed: bool
    reasons: tuple[Reason, ...]

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def why(self) -> str:
        """The reason that settled it, for people."""
        return next(r.detail for r in reversed(self.reasons) if r.allows is self.allowed)


class Shareable(Protocol):
    """A thing that can be shared with single members: itself, or through what it is part of."""

    tenant_id: UUID
    is_private: bool

    def share_keys(self) -> list[tuple[str, UUID]]: ...


def authorize(subject: Subject, action: str, resource: Any = None) -> Decision:
    """Decide whether the subject may perform an action, on one thing if given.

    Costs no query unless the role does not settle it and the thing can be shared.
    """
    if not subject.is_authenticated:
        return Decision(False, (Reason("subject", False, _("You are not signed in.")),))
    if resource is not None and _tenant_of(resource) != subject.tenant_id:
        return Decision(False, (Reason("tenant", False, _("It belongs to another organization.")),))
    reasons = [_by_role(subject, action)]
    if resource is not None and reasons[0].allows:
        reasons += [reason for rule in ATTRIBUTE_RULES if (reason := rule(subject, action, resource))]
    allowed = bool(reasons[0].allows) and not any(reason.allows is False for reason in reasons)
    if not allowed and hasattr(resource, "share_keys"):
        relation = _by_relation(subject, action, resource)
        reasons.append(relation)
        allowed = bool(relation.allows)
    return Decision(allowed, tuple(reasons))


def check(subject: Subject, action: str, resource: Any = None) -> None:
    """Raise MissingPermission, with the reason, unless ``authorize`` allows it."""
    decision = authorize(subject, action, resource)
    if not decision:
        raise MissingPermission(decision.why, action)


def relation_to(subject: Subject, resource: Shareable) -> str | None:
    """The strongest relation of a person to a thing, directly or through what it is part of; one query."""
    if subject.user_id is None:
        return None
    types, ids = zip(*resource.share_keys(), strict=True)
    held = Share.objects.filter(user_id=subject.user_id, object_type__in=types, object_id__in=ids)
    return max(held.values_list("relation", flat=True), key=lambda name: len(RELATION_GRANTS[name]), default=None)


def _by_role(subject: Subject, action: str) -> Reason:
    granted = action in subject.permissions
    detail = _("The role %(role)s allows %(action)s.") if granted else _("The role %(role)s does not allow %(action)s.")
    return Reason("role", granted, detail % {"role": subject.role, "action": action})


def _by_relation(subject: Subject, action: str, resource: Shareable) -> Reason:
    relation = relation_to(subject, resource)
    if relation is None:
        return Reason("relation", None, _("It is not shared with this person."))
    granted = action in RELATION_GRANTS[relation]
    yes, no = _("Being its %(relation)s allows %(action)s."), _("Being its %(relation)s does not allow %(action)s.")
    return Reason("relation", granted, (yes if granted else no) % {"relation": relation, "action": action})


def _private_things(subject: Subject, action: str, resource: Any) -> Reason | None:
    """A private thing is for those it is shared with, and for owners and admins."""
    if not getattr(resource, "is_private", False) or subject.has_full_sight:
        return None
    return Reason("private", False, _("It is private."))


ATTRIBUTE_RULES: tuple[Callable[[Subject, str, Any], Reason | None], ...] = (_private_things,)


def _tenant_of(resource: Any) -> UUID | None:
    tenant_id: UUID | None = getattr(resource, "tenant_id", None)
    return tenant_id
