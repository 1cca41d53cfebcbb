"""The audit log as a reader may see it: all that happened, but of things that they do not see only that it did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Unpack

from apps.access.sight import hidden_from
from apps.access.subjects import Subject
from apps.audit import paging
from apps.audit.paging import Page
from apps.audit.selectors import AuditEntry, Filters, event_pages, events_page


def page_for(subject: Subject, **asked: Any) -> Page:
    """A page as ``paging.page_of`` makes it. Raises InvalidCursor."""
    page = paging.page_of(tenant_id=subject.tenant_id, **asked)
    return replace(page, entries=_shown(subject, page.entries))


def all_for(subject: Subject, **filters: Unpack[Filters]) -> Iterator[AuditEntry]:
    """Every entry, newest first."""
    for entries in event_pages(tenant_id=subject.tenant_id, **filters):
        yield from _shown(subject, entries)


def latest_for(subject: Subject, limit: int) -> list[AuditEntry]:
    return _shown(subject, events_page(tenant_id=subject.tenant_id, limit=limit))


def _shown(subject: Subject, entries: list[AuditEntry]) -> list[AuditEntry]:
    hidden = hidden_from(subject, [entry.resource for entry in entries])
    return [entry.without_content() if entry.resource in hidden else entry for entry in entries]
