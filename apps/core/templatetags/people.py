from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a name or an address."""
    words = name.split("@")[0].replace(".", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.filter
def named(names: Mapping[Any, str], key: Any) -> str:
    """What somebody is called; people who left have no name any more."""
    return names.get(key) or _("somebody who left")


@register.filter
def yesno_or_value(value: Any) -> Any:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return value
