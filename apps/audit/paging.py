"""The log in pages: a cursor names an entry, so pages stay what they are while new entries arrive."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Unpack
from uuid import UUID

from .errors import InvalidCursor
from .selectors import AuditEntry, Filters, Position, events_page


@dataclass(frozen=True)
class Page:
    """Some entries, newest first, and the cursors of the pages beside it where there are such."""

    entries: list[AuditEntry]
    older: str
    newer: str

    @property
    def newest(self) -> str:
        """The cursor of the first entry, with which to ask for what came since."""
        return cursor_of(self.entries[0]) if self.entries else ""


def page_of(*, tenant_id: UUID, page_size: int, before: str = "", after: str = "", **filters: Unpack[Filters]) -> Page:
    """The page just before, or just after, what a cursor names. Raises InvalidCursor."""
    entries = events_page(
        tenant_id=tenant_id, limit=page_size + 1, before=_position(before), after=_position(after), **filters
    )
    more = len(entries) > page_size
    shown = entries[1:] if more and after else entries[:page_size]
    has_older = bool(shown) and (more or bool(after))
    has_newer = bool(shown) and (more if after else bool(before))
    return Page(shown, cursor_of(shown[-1]) if has_older else "", cursor_of(shown[0]) if has_newer else "")


def cursor_of(entry: AuditEntry) -> str:
    return base64.urlsafe_b64encode(f"{entry.occurred_at.isoformat()} {entry.id}".encode()).decode()


def _position(cursor: str) -> Position | None:
    """Raises InvalidCursor for a position that no page has."""
    if not cursor:
        return None
    try:
        occurred_at, _, event_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        moment, entry_id = datetime.fromisoformat(occurred_at), UUID(event_id)
        if moment.tzinfo is None:
            raise InvalidCursor
        return moment.astimezone(UTC), entry_id  # PostgreSQL does not know every offset that Python reads
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidCursor from error
