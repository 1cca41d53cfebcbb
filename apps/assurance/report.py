"""What a run found: for programs, for a terminal, and for somebody who has to judge the installation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string

from .checks import CheckOutcome, CheckResult, Wall

FORMAT = 1
SIGNS = {CheckResult.HELD: "ok", CheckResult.LIMIT: "limit", CheckResult.FAILED: "ERROR", CheckResult.BREACH: "BREACH"}


@dataclass(frozen=True)
class IsolationReport:
    started: datetime
    seconds: float
    databases: dict[str, str]
    placements: list[str]
    outcomes: list[CheckOutcome]

    def count(self, result: CheckResult) -> int:
        return sum(outcome.result == result for outcome in self.outcomes)

    @property
    def attempts(self) -> int:
        return sum(outcome.attempts for outcome in self.outcomes)

    @property
    def result(self) -> CheckResult:
        """A breach outweighs a check that could not run, and that everything that held."""
        for worst in (CheckResult.BREACH, CheckResult.FAILED):
            if self.count(worst):
                return worst
        return CheckResult.HELD

    @property
    def verdict(self) -> str:
        breaches, failed = self.count(CheckResult.BREACH), self.count(CheckResult.FAILED)
        if breaches:
            return f"{breaches} of {len(self.outcomes)} checks found a breach"
        if failed:
            return f"No breach was found, but {failed} of {len(self.outcomes)} checks could not run"
        return f"All {len(self.outcomes)} checks held"

    @property
    def targets(self) -> list[str]:
        return list(dict.fromkeys(outcome.target for outcome in self.outcomes))

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "installation": settings.BASE_DOMAIN,
            "started_at": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 2),
            "result": self.result.value,
            "verdict": self.verdict,
            "attempts": self.attempts,
            "databases": self.databases,
            "placements": self.placements,
            "checks": [_as_json(outcome) for outcome in self.outcomes],
        }

    def as_lines(self) -> Iterator[str]:
        """A table by target, with what was found wrong under each check."""
        for target, outcomes in groupby(self.outcomes, key=lambda outcome: outcome.target):
            yield f"\n{target}"
            for outcome in outcomes:
                attempts = f"{outcome.attempts} tries"
                sign, check = SIGNS[outcome.result], outcome.check
                yield f"  {sign:7}{check.id:27}{check.title:64}{attempts:>12}{outcome.seconds:8.2f} s"
                if outcome.result != CheckResult.HELD:
                    yield from (f"           {line}" for line in outcome.observed)
        yield f"\n{self.verdict}: {self.attempts} tries in {self.seconds:.1f} s."

    def as_html(self) -> str:
        return render_to_string(
            "assurance/report.html",
            {
                "report": self,
                "json": self.as_json(),
                "tally": [(result, self.count(result)) for result in CheckResult if self.count(result)],
                "matrix": list(self._matrix()),
                "walls": list(self._walls()),
                "breaches": [outcome for outcome in self.outcomes if outcome.result == CheckResult.BREACH],
                "versions": sorted(set(self.databases.values())),
            },
        )

    def _matrix(self) -> Iterator[tuple[str, list[CheckResult | None]]]:
        """The worst result of each wall at each target."""
        order = list(CheckResult)
        for wall in Wall:
            cells = []
            for target in self.targets:
                found = [o.result for o in self.outcomes if o.check.wall == wall and o.target == target]
                cells.append(max(found, key=order.index) if found else None)
            yield wall.value, cells

    def _walls(self) -> Iterator[tuple[str, list[tuple[Any, list[CheckOutcome]]]]]:
        """The checks of each wall, each with its outcome at each target."""
        for wall in Wall:
            checks: dict[str, list[CheckOutcome]] = {}
            for outcome in self.outcomes:
                if outcome.check.wall == wall:
                    checks.setdefault(outcome.check.id, []).append(outcome)
            if checks:
                yield wall.value, [(outcomes[0].check, outcomes) for outcomes in checks.values()]


def _as_json(outcome: CheckOutcome) -> dict[str, Any]:
    return {
        "id": outcome.check.id,
        "title": outcome.check.title,
        "wall": outcome.check.wall.value,
        "place": outcome.target,
        "tried": outcome.check.tries,
        "why": outcome.check.why,
        "attempts": outcome.attempts,
        "result": outcome.result.value,
        "evidence": outcome.observed,
        "seconds": round(outcome.seconds, 3),
    }
