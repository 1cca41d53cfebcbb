"""The role that somebody is given: a built-in one, or one that the organization made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from .errors import UnknownRole
from .models import CustomRole
from .models.people import Assignment
from .permissions import GRANTS, Role

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
