"""Events that leave with the transaction that caused them; see ``events``."""

from .batches import Batch, Handed
from .events import (
    COUNTED,
    INSERT,
    MAILS,
    STATES,
    Backlog,
    Pending,
    backlog,
    emit,
    finish,
    goes_alone,
    payloads,
    pending,
    retry,
    subscribe,
    subscribers_of,
    tenants_of,
)

__all__ = [
    "COUNTED",
    "INSERT",
    "MAILS",
    "STATES",
    "Backlog",
    "Batch",
    "Handed",
    "Pending",
    "backlog",
    "emit",
    "finish",
    "goes_alone",
    "payloads",
    "pending",
    "retry",
    "subscribe",
    "subscribers_of",
    "tenants_of",
]
