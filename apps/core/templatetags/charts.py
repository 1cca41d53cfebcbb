from __future__ import annotations

from collections.abc import Sequence

from django import template

from ..charts import AreaChart

register = template.Library()


@register.simple_tag
def area_chart(
    values: Sequence[tuple[str, float]], limit: float | None = None, width: int = 920, height: int = 240
) -> AreaChart:
    return AreaChart(values, limit, width, height)
