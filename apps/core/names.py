"""Names that others read: written in one way, without what cannot be seen, and told apart by how they look."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import lru_cache

import idna.core
from confusable_homoglyphs.categories import alias
from confusable_homoglyphs.utils import load
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .text import folded

INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})  # categories of characters
# Unicode's Default_Ignorable_Code_Points of other categories, signs drawn as nothing, and no characters.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\ufdd0-\ufdef\uffa0\ufff0-\ufff8\ufffc"
    "\U00016fe4\U0001d159\U000e0000-\U000e0fff]"
)
JOINERS = "\u200c\u200d"
# What joins pictures is seen where it stands between them.
PICTURE = "[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]"
JOINED_PICTURES = re.compile(f"(?<={PICTURE})\u200d(?={PICTURE})|(?<={PICTURE})\ufe0f")
APART = re.compile(r"[\W_]+")
WORD = re.compile(r"[^\W\d_]+")
LOOKALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})


def cleaned(text: str, *, one_script: bool = False) -> str:
    """The name in Unicode's form C, with single spaces.

    Raises ValidationError if not all of it can be seen, or, where it has to be of ``one_script``, if a word has letters
    of several scripts that look like each other's, which no word of a language has.
    """
    name = _composed(text)
    if _hidden(name):
        raise ValidationError(_("Invisible and control characters are not allowed."), code="invisible")
    if one_script and _mixes_scripts(name):
        raise ValidationError(_("A word must not mix letters of different scripts that look alike."), code="mixed")
    return " ".join(name.split())


def visible(text: str) -> str:
    """The name without what cannot be seen: for names that people have not typed, such as those of files."""
    name = _composed(text)
    hidden = _hidden(name)
    return " ".join("".join(character for character in name if character not in hidden).split())


def look_alike(one: str, other: str) -> bool:
    """Whether people may take one name for the other, whatever case, width and script (Unicode's UTS 39)."""
    return not _skeletons(one).isdisjoint(_skeletons(other))


def _composed(text: str) -> str:
    """Form C, with letters for the signs that mathematics has of them, which readers aloud spell out."""
    return unicodedata.normalize("NFC", "".join(map(_letter, text)))


def _letter(character: str) -> str:
    is_styled = unicodedata.decomposition(character).startswith("<font>")
    return unicodedata.normalize("NFKC", character) if is_styled else character


def _hidden(name: str) -> set[str]:
    shown = JOINED_PICTURES.sub("", name)
    return {sign for place, sign in enumerate(shown) if _is_hidden(sign) and not _joins_letters(shown, place)}


def _joins_letters(name: str, place: int) -> bool:
    """Whether a joiner changes how the letters beside it are drawn (RFC 5892, appendix A.1 and A.2)."""
    try:
        return name[place] in JOINERS and idna.core.valid_contextj(name, place)
    except ValueError:  # letters of which it is not known
        return False


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in INVISIBLE or BLANK.match(character) is not None


def _mixes_scripts(name: str) -> bool:
    return any(len({alias(letter) for letter in word} & LOOKALIKE_SCRIPTS) > 1 for word in WORD.findall(name))


def _skeletons(name: str) -> set[str]:
    """How the name looks: its letters as they are, small and capital, since some look alike in one case only."""
    seen = "".join(character for character in name if not _is_hidden(character))
    seen = APART.sub("", seen) or seen  # nobody tells two names apart by a space or a hyphen
    return {_prototype(folded(seen)), *(_prototype(folded(_prototype(case))) for case in (seen, seen.upper()))}


def _prototype(text: str) -> str:
    prototypes = _prototypes()
    return "".join(prototypes.get(character, character) for character in text)


@lru_cache(maxsize=1)
def _prototypes() -> dict[str, str]:
    """For each character that looks like others the one that stands for all of them."""
    alike: dict[str, set[str]] = defaultdict(set)
    for character, others in load("confusables.json").items():
        for one in (character, *(other["c"] for other in others)):
            alike[character.strip("\u200e")].add(one.strip("\u200e"))
            alike[one.strip("\u200e")].add(character.strip("\u200e"))
    prototypes: dict[str, str] = {}
    for character in alike:
        if character not in prototypes:
            group = _connected(alike, character)
            prototypes |= dict.fromkeys(group, min(group, key=lambda one: (not one.isascii(), -len(one), one)))
    return {one: shown for one, shown in prototypes.items() if len(one) == 1 and one != shown}


def _connected(alike: dict[str, set[str]], character: str) -> set[str]:
    found, ahead = {character}, [character]
    while ahead:
        new = alike[ahead.pop()] - found
        found |= new
        ahead += new
    return found
