from __future__ import annotations


class NotInTransaction(Exception):
    """An event is recorded in the transaction of the act, or the two could part."""
