"""Languages and time zones as people choose them."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from zoneinfo import available_timezones

from django.conf import settings
from django.utils.translation import gettext_lazy as _

REGIONS = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian"),
    "Pacific": _("Pacific"),
}

Choice = tuple[str, str]


def languages(current: str) -> list[Choice]:
    """The languages there are, and the one in use if it is none of them."""
    known = [(code, str(name)) for code, name in settings.LANGUAGES]
    return known if not current or current in dict(known) else [(current, current), *known]


def time_zones(current: str) -> list[Choice | tuple[str, list[Choice]]]:
    """Time zones by region, without the historical names; the one in use is always among them."""
    zones = _zones()
    first = ["UTC", *([current] if current and current != "UTC" and current not in zones else [])]
    regions = groupby(zones, key=lambda zone: zone.partition("/")[0])
    by_region = [(str(REGIONS[region]), [_city(zone) for zone in found]) for region, found in regions]
    return [*((zone, zone) for zone in first), *by_region]


@cache
def _zones() -> list[str]:
    """The files of the time zone database are read once in a process: it takes 30 ms."""
    return sorted(zone for zone in available_timezones() if zone.partition("/")[0] in REGIONS)


def _city(zone: str) -> Choice:
    return zone, zone.partition("/")[2].replace("_", " ").replace("/", ", ")
