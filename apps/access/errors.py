from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import ceil

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from apps.audit.models import ControlEvent, Event
from apps.core.durations import in_words
from apps.core.errors import DomainError


class MissingPermission(PermissionDenied):
    """What was asked for needs a ``permission`` that the subject does not have."""

    def __init__(self, why: str, permission: str) -> None:
        super().__init__(why)
        self.permission = permission


class TooManyAttempts(DomainError):
    status = 429
    code = "too_many_attempts"
    message = _("That was tried too often. Try again in %(time)s.")

    def __init__(self, *, retry_after_seconds: int = 60) -> None:
        seconds = max(retry_after_seconds, 1)
        super().__init__(str(self.message) % {"time": in_words(seconds)})
        self.headers = {"Retry-After": str(seconds)}


class InvalidIdempotencyKey(DomainError):
    status = 400
    code = "invalid_idempotency_key"
    message = "An Idempotency-Key has 1 to 255 printable characters."


class CallDiffers(DomainError):
    status = 422
    code = "idempotency_key_reused"
    message = "This Idempotency-Key was used for another call."


class CallerUnknown(DomainError):
    status = 400
    code = "idempotency_key_needs_credentials"
    message = "Only a caller who shows credentials can repeat a call. Send it without an Idempotency-Key."


class AnswerLost(DomainError):
    """``done`` are the acts of the first call, as the audit log has them."""

    status = 409
    code = "idempotent_call_answer_lost"
    message = "The first call with this Idempotency-Key was carried out, but its answer was lost."

    def __init__(self, done: Sequence[Event | ControlEvent]) -> None:
        super().__init__()
        self.extra = {"done": [{"action": e.action, "type": e.resource_type, "id": e.resource_id} for e in done]}


class CallInProgress(DomainError):
    """``left`` is how long it takes until another may carry it out, if the one that runs it seems to have died."""

    status = 409
    code = "idempotent_call_in_progress"
    message = "The first call with this Idempotency-Key is still running."

    def __init__(self, *, left: timedelta = timedelta()) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(max(ceil(left.total_seconds()), 1))}
