"""Passwords as NIST's SP 800-63B has them: any characters, in one form, and none that is guessed from what is known."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from zxcvbn import zxcvbn

from apps.core.text import folded

SERVICE = "Tenantry"
FEWEST_GUESSES = 10**10  # a guesser who has the hash gives up before
FEWEST_GUESSES_OF_REST = 10**8  # of what is left without what is known of the person
LONGEST_READ = 72  # of more characters nobody guesses the rest, and reading them takes time
SHORTEST_WORD, SHORTEST_RUN = 3, 3
SHORTEST_LETTERS = 8
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
    unknown = _without_runs(_without_known(folded(password), around))
    letters = _letters(unknown)  # where other signs stand between them is soon tried
    rest = [unknown, *([letters] if len(letters) >= SHORTEST_LETTERS else [])]
    if _guesses(password) < FEWEST_GUESSES or any(_guesses(reading) < FEWEST_GUESSES_OF_REST for reading in rest):
        raise ValidationError(
            _("This is easy to guess: it repeats itself, goes on by itself, or is made of what is known of you."),
            code="password_guessable",
        )


def _guesses(text: str) -> int:
    return int(zxcvbn(text[:LONGEST_READ])["guesses"]) if text else 0


def _without_known(text: str, around: str) -> str:
    words = {word for word in re.split(r"[\W_]+", folded(f"{around} {SERVICE}")) if len(word) >= SHORTEST_WORD}
    known = {_letters(folded(around)), *words, *(word[::-1] for word in words)}
    for word in sorted(known - {""}, key=len, reverse=True):
        text = text.replace(word, "")
    return text


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _without_runs(text: str) -> str:
    """The text with one character in place of each run: of the same one, of the alphabet, of a row of keys."""
    runs: list[str] = []
    for character in text:
        if runs and (runs[-1][-1] == character or runs[-1][-1] + character in STEPS):
            runs[-1] += character
        else:
            runs.append(character)
    return "".join(run[0] if len(run) >= SHORTEST_RUN else run for run in runs)
