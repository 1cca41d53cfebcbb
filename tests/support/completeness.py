"""Tables that are written by hand and have to name everything that there is."""

from __future__ import annotations

from collections.abc import Iterable


def assert_complete(listed: Iterable[str], existing: Iterable[str], *, table: str) -> None:
    """``table`` says where the list stands, as FILE:NAME; whoever made something new is sent there."""
    listed, existing = set(listed), set(existing)
    complaints = [f"missing: {name}, add it to {table}" for name in sorted(existing - listed)]
    complaints += [f"gone: {name}, take it out of {table}" for name in sorted(listed - existing)]
    assert not complaints, "\n".join(complaints)
