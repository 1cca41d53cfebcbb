"""Passwords as NIST's SP 800-63B has them: any characters, in one form, and none that is guessed from what is known."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apps.core.text import folded

SERVICE = "Tenantry"
SHORTEST_REPEATED = 15  # as long as a password has to be: repeating adds nothing
SHORTEST_REST = 8  # of what neither can be known nor goes on by itself
SHORTEST_WORD, SHORTEST_RUN = 3, 3
KNOWN = "\0"  # stands in for what a guesser knows
ROWS = (
    *("abcdefghijklmnopqrstuvwxyz", "01234567890"),
    *("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "wxcvbn"),
)
STEPS = {a + b for row in ROWS for one in (row, row[::-1]) for a, b in pairwise(one)}


def composed(password: str) -> str:
    """The form in which passwords are hashed: keyboards differ in how they write accents."""
    return unicodedata.normalize("NFC", password)


def forms(password: str) -> list[str]:
    """The forms in which it may have been hashed, each once; the last ones before there was one for all."""
    return list(dict.fromkeys([composed(password), password, unicodedata.normalize("NFD", password)]))


def check(password: str, *, around: str) -> None:
    """Raises ValidationError for what can be guessed; ``around`` is what everybody knows of whose it is."""
    plain = _plain(password)
    rest = plain if len(plain) >= SHORTEST_REST else folded(password)  # of signs alone it is as good as of letters
    words = {word for word in re.split(r"[\W_]+", folded(f"{around} {SERVICE}")) if len(word) >= SHORTEST_WORD}
    known = {_plain(around), *words, *(word[::-1] for word in words)}
    for word in sorted(known - {""}, key=len, reverse=True):
        rest = rest.replace(word, KNOWN)
    rest = _without_runs(rest)
    core = rest.strip(f"{KNOWN}0123456789")
    repeated = _repeated(core)
    if len(rest) < SHORTEST_REST or core in _common() or (repeated != core and len(repeated) < SHORTEST_REPEATED):
        raise ValidationError(
            _("This is easy to guess: it repeats itself, goes on by itself, or is made of what is known of you."),
            code="password_guessable",
        )


@lru_cache(maxsize=1)
def _common() -> set[str]:
    return CommonPasswordValidator().passwords  # type: ignore[no-any-return]


def _plain(text: str) -> str:
    """Letters and digits alone: where others stand between them is soon tried."""
    return re.sub(r"[\W_]+", "", folded(text))


def _repeated(text: str) -> str:
    """The shortest beginning that makes the text by being repeated, twice at least."""
    lengths = range(1, len(text) // 2 + 1)
    return next((text[:length] for length in lengths if text[length:] == text[:-length]), text)


def _without_runs(text: str) -> str:
    """The text with one character in place of each run: of the same one, of the alphabet, of a row of keys."""
    runs: list[str] = []
    for character in text:
        if runs and (runs[-1][-1] == character or runs[-1][-1] + character in STEPS):
            runs[-1] += character
        else:
            runs.append(character)
    return "".join(run[0] if len(run) >= SHORTEST_RUN else run for run in runs)
