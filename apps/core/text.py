"""Text as people mean it."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")


def folded(text: str) -> str:
    """One form for all spellings that people take for the same: without case, accents and compatibility forms."""
    decomposed = unicodedata.normalize("NFKD", text.strip()).casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", decomposed) if not unicodedata.combining(c))


def words(text: str, *, longest: int = 60) -> list[str]:
    """The folded words of a text, each once, in order; cut to ``longest`` characters."""
    return list(dict.fromkeys(word[:longest] for word in _WORD.findall(folded(text))))


def without_nul(text: str) -> str:
    """PostgreSQL stores every character but this one."""
    return text.replace("\x00", "")
