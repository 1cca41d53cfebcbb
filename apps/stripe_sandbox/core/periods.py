"""Billing periods: counted from an anchor, in UTC, so that the 31st comes back after a short month."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from apps.stripe_sandbox.core.errors import ApiError

DAY = 86_400
MONTHS = {"month": 1, "year": 12}
LAST_YEAR = 9999


def boundary(anchor: int, interval: str, count: int, number: int) -> int:
    """The anchor moved by so many periods, forward or back. Days that a month has not become its last."""
    if interval in ("day", "week"):
        return anchor + number * count * DAY * (7 if interval == "week" else 1)
    moment = datetime.fromtimestamp(anchor, UTC)
    months = moment.year * 12 + moment.month - 1 + number * count * MONTHS[interval]
    year, month = divmod(months, 12)
    if not 1 <= year <= LAST_YEAR:
        raise ApiError("The dates that follow from this are out of range.")
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return int(moment.replace(year=year, month=month + 1, day=day).timestamp())


def next_boundary(anchor: int, interval: str, count: int, after: int) -> int:
    """The first boundary later than a moment."""
    longest = count * DAY * {"day": 1, "week": 7, "month": 31, "year": 366}[interval]
    number = (after - anchor) // longest - 1
    while boundary(anchor, interval, count, number) <= after:
        number += 1
    while boundary(anchor, interval, count, number - 1) > after:
        number -= 1
    return boundary(anchor, interval, count, number)


def configured_anchor(now: int, config: dict[str, int], interval: str) -> int:
    """The next moment that `billing_cycle_anchor_config` describes."""
    start = datetime.fromtimestamp(now, UTC)
    for months in range(25):
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        if config.get("month") is not None and interval == "year" and month + 1 != config["month"]:
            continue
        moment = start.replace(
            year=year,
            month=month + 1,
            day=min(config["day_of_month"], calendar.monthrange(year, month + 1)[1]),
            hour=config.get("hour", start.hour),
            minute=config.get("minute", start.minute),
            second=config.get("second", start.second),
        )
        if moment.timestamp() >= now:
            return int(moment.timestamp())
    raise AssertionError("a month within two years matches")
