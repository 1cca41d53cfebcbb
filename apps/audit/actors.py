"""Who acts, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Whoever an event is ascribed to: a user, an API key, an operator's command, the system itself."""

    type: str
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What an event is about where that is no model's row."""

    type: str
    id: str


SYSTEM = Actor(type="system")
ANONYMOUS = Actor(type="anonymous")  # proved by a link or a code rather than by a session


def command(name: str) -> Actor:
    """An operator at the command line."""
    return Actor(type="command", id=name)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a request came from; work that no request asked for has none of it.

    ``call`` is the id of the repeatable call that the request is.
    """

    ip: str | None = None
    user_agent: str = ""
    session_id: str = ""
    call: str = ""


NOWHERE = Origin()
ABOUT_THE_REQUEST = ("user_agent", "session_id", "request_id")  # what is noted of one with each event
_origin: ContextVar[Origin] = ContextVar("audit_origin", default=NOWHERE)


def origin() -> Origin:
    return _origin.get()


def act_for_call(call_id: object) -> None:
    """Have everything that the request records from here on say which call it was done for."""
    _origin.set(replace(_origin.get(), call=str(call_id)))


@contextmanager
def acting_from(source: Origin) -> Iterator[None]:
    """Ascribe what is recorded inside to an address on the network."""
    token = _origin.set(source)
    try:
        yield
    finally:
        _origin.reset(token)
