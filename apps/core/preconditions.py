"""ETags and If-Match (RFC 9110, 13.1.1): nobody overwrites what they have not seen."""

from __future__ import annotations

import hashlib
from typing import Any

from .errors import PreconditionFailed


def etag_of(row: Any) -> str:
    """A strong tag of a row's state, from its id and the time of its last change."""
    state = f"{row.pk}.{row.updated_at.isoformat()}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:32]}"'


def check_unchanged(row: Any, expected: str) -> None:
    """Raises PreconditionFailed unless the locked row is what the client has seen; '' and '*' expect nothing."""
    if expected.strip() in ("", "*"):
        return
    if etag_of(row) not in [tag.strip() for tag in expected.split(",")]:
        raise PreconditionFailed
