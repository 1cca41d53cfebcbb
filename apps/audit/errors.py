from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError, NotFoundError


class NotInTransaction(Exception):
    """An event is recorded in the transaction of the act, or the two could part."""


class SinkUnavailable(Exception):
    """A sink did not take an event; later it may."""


class NotSealedYet(Exception):
    """An event has no number yet, as an older transaction may still write; sinks are sent what is sealed."""


class SinkBusy(Exception):
    """A sink has not come to an event yet: another worker is sending to it, or there was too much before it."""


class EventRefused(Exception):
    """A sink will never take this event."""


class InvalidCursor(NotFoundError):
    message = _("Invalid cursor.")


class TooLongToVerify(DomainError):
    code = "too_long_to_verify"
    message = _("This log is too long to be verified while you wait. Ask the operator to run verify_audit_chain.")
