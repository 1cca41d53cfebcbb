"""The audit log as people read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.access.subjects import API_KEY, USER
from apps.accounts.selectors import actor_names
from apps.audit.selectors import AuditEntry
from apps.core.errors import Text

UNNAMED: dict[str, Text] = {
    USER: _("Former member"),
    API_KEY: _("Former API key"),
    "system": _("System"),
    "anonymous": _("Not signed in"),
    "command": _("Operator"),
    "staff": _("Platform staff"),
}


@dataclass(frozen=True)
class Line:
    """An entry with the name of who did it; values are text."""

    entry: AuditEntry
    who: str
    changes: list[tuple[str, str, str]]
    details: list[tuple[str, str]]


def lines_of(tenant_id: UUID, entries: list[AuditEntry]) -> list[Line]:
    names = actor_names(tenant_id, entries)
    return [_line(entry, names.get(entry.actor_id, "")) for entry in entries]


def who_of(entry: AuditEntry, name: str) -> str:
    """Who did it, by the name that the organization has for them, if it has one."""
    if not name and "staff" in entry.metadata:
        return str(_("%(address)s (staff)") % {"address": entry.metadata["staff"]})
    return name or str(UNNAMED.get(entry.actor_type, entry.actor_type))


def _line(entry: AuditEntry, name: str) -> Line:
    return Line(entry, who_of(entry, name), _changes(entry), _details(entry))


def _changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """Field, before, after; what is recorded as a single value has no before."""
    found = []
    for name, change in sorted(entry.changes.items()):
        before, after = change if isinstance(change, list) and len(change) == 2 else (None, change)
        found.append((name, _text(before), _text(after)))
    return found


def _details(entry: AuditEntry) -> list[tuple[str, str]]:
    source = [(gettext("address"), entry.actor_ip)] if entry.actor_ip else []
    return [*source, *((name, _text(value)) for name, value in sorted(entry.metadata.items()))]


def _text(value: Any) -> str:
    if value is None or value == "":
        return "—"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "—"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
