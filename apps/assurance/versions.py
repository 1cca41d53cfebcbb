"""Flaws of PostgreSQL that let a reader past row-level security or a role, and the releases that mend them.

As published by the PostgreSQL Global Development Group up to November 2025. Only flaws that matter to how tenants
are kept apart here are listed; any release in support should be the newest of its line anyway.
"""

from __future__ import annotations

from dataclasses import dataclass

KNOWN_UP_TO = "2025-11"
OLDEST_SUPPORTED = 14


@dataclass(frozen=True)
class Flaw:
    """``mended`` maps a major version to the first minor one that has the cure; others were never affected."""

    id: str
    what: str
    mended: dict[int, int]

    def is_in(self, version: int) -> bool:
        """Whether a server of this ``server_version_num`` has it."""
        major, minor = divmod(version, 10_000)
        return minor < self.mended.get(major, 0)


FLAWS = (
    Flaw(
        "CVE-2025-8713",
        "statistics of the planner can expose sampled rows that a policy hides",
        {13: 22, 14: 19, 15: 14, 16: 10, 17: 6},
    ),
    Flaw(
        "CVE-2024-10976",
        "policies in subqueries disregard a change of role, so a plan is reused for the wrong one",
        {12: 21, 13: 17, 14: 14, 15: 9, 16: 5, 17: 1},
    ),
    Flaw(
        "CVE-2024-10978",
        "SET ROLE is reset to the wrong role",
        {12: 21, 13: 17, 14: 14, 15: 9, 16: 5, 17: 1},
    ),
    Flaw(
        "CVE-2024-4317",
        "extended statistics show most common values of other people's tables",
        {14: 12, 15: 7, 16: 3},
    ),
    Flaw("CVE-2023-39418", "MERGE does not enforce the policies of UPDATE and SELECT", {15: 4}),
    Flaw(
        "CVE-2023-2455",
        "policies disregard a change of role after inlining",
        {11: 20, 12: 15, 13: 11, 14: 8, 15: 3},
    ),
)


def flaws_of(version: int) -> list[Flaw]:
    return [flaw for flaw in FLAWS if flaw.is_in(version)]
