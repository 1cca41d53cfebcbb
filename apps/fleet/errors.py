from __future__ import annotations

from apps.core.errors import DomainError


class NothingQuarantined(DomainError):
    code = "nothing_quarantined"
    message = "No schema is in quarantine."
