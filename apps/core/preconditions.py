"""ETags and conditional requests (RFC 9110, sections 8.8 and 13): nobody overwrites what they have not seen."""

from __future__ import annotations

import hashlib
from typing import Any

from django.utils.http import parse_etags

from .errors import PreconditionFailed

ANYTHING = "*"


def etag_of(row: Any) -> str:
    """A strong tag of a row's state, from its id and its last change; empty of what keeps no time of change."""
    changed_at = getattr(row, "updated_at", None)
    if changed_at is None:
        return ""
    state = f"{row.pk}.{changed_at.isoformat()}.{getattr(row, 'version', '')}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def matches(header: str, row: Any) -> bool:
    """Whether an If-Match lets a request about the row through, None if there is none: a weak tag never does."""
    tags = parse_etags(header)
    return row is not None and (tags == [ANYTHING] or etag_of(row) in tags)


def is_known(header: str, row: Any) -> bool:
    """Whether an If-None-Match names the row as it is now; weak tags and strong ones are the same here."""
    return row is not None and names(header, etag_of(row))


def names(header: str, tag: str) -> bool:
    """Whether an If-None-Match names what has the tag, or anything."""
    tags = parse_etags(header)
    return tags == [ANYTHING] or (bool(tag) and tag in [known.removeprefix("W/") for known in tags])


def check_unchanged(row: Any, expected: str) -> None:
    """Raises PreconditionFailed unless the locked row is what somebody has seen; '' expects nothing."""
    if expected and not matches(expected, row):
        raise PreconditionFailed
