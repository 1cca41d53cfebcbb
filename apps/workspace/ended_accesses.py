"""Which accesses have ended, whose, when and why: as the audit log has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from apps.access.subjects import USER, Subject
from apps.accounts.selectors import actor_names, names_of
from apps.audit.paging import Page
from apps.audit.selectors import AuditEntry
from apps.core.errors import Text

from .audit_lines import who_of
from .audit_reading import page_for

ENDINGS: dict[str, Text] = {
    "member.removed": _("Membership"),
    "member.left": _("Membership"),
    "member.role_changed": _("Rights of a role"),
    "api_key.revoked": _("API key"),
    "invitation.revoked": _("Invitation"),
    "session.revoked": _("Session"),
    "session.all_revoked": _("All sessions"),
    "share.withdrawn": _("Share"),
}
REASONS: dict[str, Text] = {
    "member.removed": _("They were removed"),
    "member.left": _("They left"),
    "member.role_changed": _("They got another role"),
}
NAMED_BY = ("name", "email", "relation", "role")  # the change that says which one it was


@dataclass(frozen=True)
class EndedAccess:
    what: str
    which: str
    whose: str
    why: str
    by: str
    at: datetime


def page_of_endings(subject: Subject, **asked: object) -> tuple[Page, list[EndedAccess]]:
    """Raises InvalidCursor."""
    page = page_for(subject, actions=tuple(ENDINGS), **asked)
    tenant_id = subject.tenant_id
    owners = {UUID(owner) for entry in page.entries if (owner := _owner(entry))}
    names, actors = names_of(tenant_id, owners), actor_names(tenant_id, page.entries)
    return page, [_ended(entry, names, who_of(entry, actors.get(entry.actor_id, ""))) for entry in page.entries]


def _ended(entry: AuditEntry, names: dict[UUID, str], by: str) -> EndedAccess:
    owner, reason = _owner(entry), entry.metadata.get("because", entry.action)
    known = names.get(UUID(owner), "") if owner else ""
    email = entry.changes.get("email", [""])[0] if entry.resource_type == "membership" else ""
    return EndedAccess(
        what=str(ENDINGS[entry.action]),
        which=next((_shown(entry.changes[name]) for name in NAMED_BY if name in entry.changes), ""),
        whose=known or entry.metadata.get("whose") or email,
        why=str(REASONS.get(reason, "")),
        by=by,
        at=entry.occurred_at,
    )


def _owner(entry: AuditEntry) -> str:
    """Whose access it was, by id; sessions are ended by those whose they are."""
    if entry.action.startswith("session."):
        return entry.actor_id if entry.actor_type == USER else ""
    return str(entry.metadata.get("user_id", ""))


def _shown(change: list[str | None]) -> str:
    return " → ".join(str(value) for value in change if value is not None)
