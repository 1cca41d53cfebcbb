"""Spans of time as people say them."""

from __future__ import annotations

from math import ceil

from django.utils.translation import ngettext

MINUTE = 60
LONGEST_IN_SECONDS = 2 * MINUTE


def in_words(seconds: int) -> str:
    """How long to wait, in the language that is spoken: never less than it is."""
    if seconds < LONGEST_IN_SECONDS:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    minutes = ceil(seconds / MINUTE)
    return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {"count": minutes}
