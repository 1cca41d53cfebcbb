from __future__ import annotations

from apps.core.errors import DomainError


class CannotRun(DomainError):
    code = "cannot_run"
    message = "The walls cannot be verified."
