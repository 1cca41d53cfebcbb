from __future__ import annotations

from datetime import UTC, datetime

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

register = template.Library()

STYLES = {"date": "DATE_FORMAT", "day": "MONTH_DAY_FORMAT", "time": "DATETIME_FORMAT"}


@register.simple_tag
def moment(value: datetime, style: str = "date") -> SafeString:
    """A moment in the reader's zone and language, as a ``date``, ``day``, ``time``, ``exact``, or how long ``ago``.

    Pointing at it shows it to the second, with its zone; programs read it in UTC.
    """
    local = localtime(value)
    exact = f"{date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S %Z}"
    shown = exact if style == "exact" else naturaltime(value) if style == "ago" else date_format(local, STYLES[style])
    iso = value.astimezone(UTC).isoformat(timespec="seconds")
    return format_html('<time datetime="{}" title="{}">{}</time>', iso, exact, shown)
