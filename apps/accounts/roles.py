"""The role that somebody is given: a built-in one, or one that the organization made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import translation

from apps.access.permissions import GRANTS, Role
from apps.access.subjects import FULL_SIGHT, Subject

from .errors import BeyondOwnRights, UnknownRole
from .models import CustomRole, Invitation, Membership
from .models.people import Assignment

BUILT_IN = (Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER)


@dataclass(frozen=True)
class Assigned:
    role: str
    custom_role: CustomRole | None = None

    @classmethod
    def of(cls, holder: Assignment) -> Assigned:
        return cls(holder.role, holder.custom_role)

    @property
    def fields(self) -> dict[str, Any]:
        return {"role": self.role, "custom_role": self.custom_role}

    @property
    def permissions(self) -> frozenset[str]:
        return frozenset(self.custom_role.permissions) if self.custom_role else GRANTS[self.role]


def may_give(actor: Subject, role: Assigned) -> bool:
    """Nobody gives or takes more than they have, the sight of private things included; only owners touch owners."""
    if role.role in FULL_SIGHT and not actor.has_full_sight:
        return False
    return role.permissions <= actor.permissions and (role.role != Role.OWNER or actor.role == Role.OWNER)


def check_may_give(actor: Subject, *roles: Assigned) -> None:
    """Raises BeyondOwnRights."""
    if not all(may_give(actor, role) for role in roles):
        raise BeyondOwnRights(field="role")


def within_reach(actor: Subject, holders: Iterable[Membership | Invitation]) -> set[UUID]:
    """The ids of those members or invitations whose role the actor may give or take."""
    return {holder.id for holder in holders if may_give(actor, Assigned.of(holder))}


@lru_cache(maxsize=1)
def built_in_names() -> frozenset[str]:
    """What the built-in roles are called, by programs and in every language."""
    called = set(Role.values)
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            called |= {str(role.label) for role in Role}
    return frozenset(called)


def named(role: str, tenant_id: UUID) -> Assigned:
    """A built-in role by name, or an organization's own by id. Raises UnknownRole."""
    if role in BUILT_IN:
        return Assigned(role)
    try:
        custom = CustomRole.objects.filter(tenant_id=tenant_id, id=UUID(role)).first()
    except ValueError:
        custom = None
    if custom is None:
        raise UnknownRole(field="role")
    return Assigned(Role.CUSTOM, custom)
