"""How many invitations an organization sends, and how many arrive at one address from all of them."""

from __future__ import annotations

from typing import Any

from apps.access.services.attempts import INVITATION, RECIPIENT, count_attempt
from apps.core.addresses import normalized_email


def count_mail(request: Any, *, to: str) -> None:
    """Raises TooManyAttempts."""
    count_attempt(request, INVITATION, str(request.subject.tenant_id))
    count_attempt(request, RECIPIENT, normalized_email(to))
