"""Who asks for something, with what they may do: the one thing that ``authorize`` looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import actors
from apps.audit.actors import Actor

from .permissions import Role

USER, API_KEY, STAFF = "user", "api_key", "staff"
NOBODY = UUID(int=0)
FULL_SIGHT = (Role.OWNER, Role.ADMIN)


@dataclass(frozen=True, kw_only=True)
class Subject(Actor):
    """A member, a program with a key, or staff on a visit, in one organization; ANONYMOUS is nobody that is known.

    ``permissions`` are those of the role, or the scopes of the key. ``session_id`` names the token family.
    """

    tenant_id: UUID
    role: str
    permissions: frozenset[str]
    session_id: str = ""
    token_id: str = ""

    @property
    def is_authenticated(self) -> bool:
        return self.type != actors.ANONYMOUS.type

    @property
    def is_bearer(self) -> bool:
        """Whether it is known by a token or key that came with the request, rather than by a browser's session."""
        return self.type == API_KEY or bool(self.token_id)

    @property
    def user_id(self) -> UUID | None:
        return UUID(self.id) if self.type == USER else None

    @property
    def person_id(self) -> UUID:
        """Like ``user_id``; for programs and visitors nobody's id."""
        return self.user_id or NOBODY

    def owns(self, thing: Any) -> bool:
        """Whether a thing is this person's own, such as their membership."""
        return self.user_id is not None and getattr(thing, "user_id", None) == self.user_id

    @property
    def has_full_sight(self) -> bool:
        """Owners and admins reach private things too."""
        return self.role in FULL_SIGHT


ANONYMOUS = Subject(type=actors.ANONYMOUS.type, tenant_id=NOBODY, role="", permissions=frozenset())
