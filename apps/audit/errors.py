from __future__ import annotations


class NotInTransaction(Exception):
    """An event is recorded in the transaction of the act, or the two could part."""


class SinkUnavailable(Exception):
    """A sink did not take an event; later it may."""


class EventRefused(Exception):
    """A sink will never take this event."""
