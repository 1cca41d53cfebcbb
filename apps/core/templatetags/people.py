from __future__ import annotations

from django import template

register = template.Library()


@register.filter
def initials(name: str) -> str:
    """Up to two letters that stand for a name or an address."""
    words = name.split("@")[0].replace(".", " ").split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
