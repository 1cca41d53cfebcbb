from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError, NotFoundError


class NotInTransaction(Exception):
    """An event is recorded in the transaction of the act, or the two could part."""


class SinkUnavailable(Exception):
    """A sink did not take an event; later it may."""


class EventRefused(Exception):
    """A sink will never take this event."""


class InvalidCursor(NotFoundError):
    message = _("Invalid cursor.")


class TooLongToVerify(DomainError):
    code = "too_long_to_verify"
    message = _("This log is too long to be verified while you wait. Ask the operator to run verify_audit_chain.")
