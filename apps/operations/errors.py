from __future__ import annotations

from apps.core.errors import NotFoundError


class EventGone(NotFoundError):
    code = "event_gone"
    message = "The event is done, or was never there."


class OutboxNotFound(NotFoundError):
    code = "outbox_not_found"
    message = "There is no such database."
