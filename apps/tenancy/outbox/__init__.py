"""Events that leave with the transaction that caused them; see ``events``."""

from .events import (
    INSERT,
    STATES,
    Backlog,
    Pending,
    backlog,
    emit,
    finish,
    payloads,
    pending,
    retry,
    subscribe,
    subscribers_of,
    tenants_of,
)

__all__ = [
    "INSERT",
    "STATES",
    "Backlog",
    "Pending",
    "backlog",
    "emit",
    "finish",
    "payloads",
    "pending",
    "retry",
    "subscribe",
    "subscribers_of",
    "tenants_of",
]
