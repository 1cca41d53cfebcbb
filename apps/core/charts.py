"""The geometry of charts that are drawn as SVG on the server."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

Point = tuple[float, float]

LEFT, TOP, BOTTOM, END = 44, 12, 28, 8
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class GridLine:
    y: float
    label: str

    @property
    def text_y(self) -> float:
        return self.y + 4


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class HitArea:
    """The strip of the chart that belongs to one value."""

    x: float
    width: float
    height: float
    label: str
    value: float


@dataclass(frozen=True)
class AreaChart:
    """A line over named values, none of them negative, at ``width`` by ``height`` units."""

    values: Sequence[tuple[str, float]]
    limit: float | None
    width: int
    height: int

    left = LEFT
    top = TOP

    @property
    def right(self) -> int:
        return self.width - END

    @property
    def label_x(self) -> int:
        return LEFT - 8

    @property
    def tick_y(self) -> int:
        return self.height - 8

    @property
    def floor(self) -> int:
        return self.height - BOTTOM

    @property
    def ceiling(self) -> float:
        """The value at the upper edge: a round number."""
        return self.step * max(1, math.ceil(self._largest / self.step))

    @property
    def step(self) -> float:
        """The distance of the grid lines: a round number, never below one."""
        rough = max(self._largest / 4, 1)
        magnitude = 10 ** math.floor(math.log10(rough))
        return next(step * magnitude for step in STEPS if step * magnitude >= rough)

    @property
    def lines(self) -> list[GridLine]:
        count = round(self.ceiling / self.step)
        return [GridLine(self._y(self.step * number), f"{self.step * number:g}") for number in range(count + 1)]

    @property
    def limit_y(self) -> float | None:
        return None if self.limit is None else self._y(self.limit)

    @property
    def ticks(self) -> list[Tick]:
        """Some of the names, as many as find room."""
        every = max(1, math.ceil(len(self.values) * 64 / self.width))
        return [Tick(x, label) for (x, _), (label, _) in list(zip(self._points, self.values, strict=True))[::every]]

    @property
    def curve(self) -> str:
        return _path(self._points)

    @property
    def area(self) -> str:
        points = self._points
        return f"{_path(points)} L{points[-1][0]:.1f} {self.floor} L{points[0][0]:.1f} {self.floor} Z"

    @property
    def hits(self) -> list[HitArea]:
        width = (self.right - LEFT) / max(len(self.values), 1)
        height = self.floor - TOP
        return [
            HitArea(round(LEFT + index * width, 1), round(width, 1), height, label, value)
            for index, (label, value) in enumerate(self.values)
        ]

    @property
    def summary(self) -> str:
        """What the line shows, for those who do not see it."""
        numbers = [value for _, value in self.values]
        figures = {"sum": sum(numbers), "min": min(numbers), "max": max(numbers), "last": numbers[-1]}
        named = {name: f"{number:g}" for name, number in figures.items()}
        return _("%(sum)s in all, between %(min)s and %(max)s, last %(last)s") % named

    @property
    def _largest(self) -> float:
        return max([value for _, value in self.values] + [self.limit or 0])

    @property
    def _points(self) -> list[Point]:
        room = self.right - LEFT
        last = max(len(self.values) - 1, 1)
        return [(LEFT + room * index / last, self._y(value)) for index, (_, value) in enumerate(self.values)]

    def _y(self, value: float) -> float:
        return round(self.floor - (self.floor - TOP) * value / self.ceiling, 1)


def _path(points: list[Point]) -> str:
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
