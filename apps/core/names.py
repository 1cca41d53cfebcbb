"""Names that others read: written in one way, without what cannot be seen, and told apart by how they look."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import lru_cache
from itertools import groupby

import idna.core
from confusable_homoglyphs.categories import alias
from confusable_homoglyphs.utils import load
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .text import folded

INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})  # categories of characters
# Unicode's Default_Ignorable_Code_Points of other categories, and signs drawn as nothing.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u2d7f\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U0001107f\U00016fe4\U0001bc9d\U0001d159\U000e0000-\U000e0fff]"
)
JOINERS = "\u200c\u200d"
# Unicode's Invisible_Stackers: they put the letter that follows under the one before.
STACKERS = "\u1039\u17d2\u1a60\uaaf6\U00010a3f\U00011133\U0001193e\U00011a47\U00011a99\U00011d45\U00011d97"
NEWER_PICTURES = "\U0001f000-\U0001faff"  # blocks to which every year adds some that Python does not know yet
PICTURE = f"[\u2190-\u2bff{NEWER_PICTURES}]"
# What joins pictures is seen where it stands between them.
JOINED_PICTURES = re.compile(f"(?<=[\ufe0f\u2190-\u2bff{NEWER_PICTURES}])\u200d(?={PICTURE})|(?<={PICTURE})\ufe0f")
NEWER_PICTURE = re.compile(f"[{NEWER_PICTURES}]")
SIGNS = frozenset({"So", "Sc", "Sm"})  # categories of what stands for a word
STACKED = frozenset({"Mn", "Me"})  # categories of marks that stand above, below or around a letter
MAX_STACKED = 4
APART = re.compile(r"[\W_]+")
EVERYWHERE = frozenset({"COMMON", "INHERITED"})
MIXTURES = (  # UTS 39, 5.2: "highly restrictive"
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)


def cleaned(text: str, *, one_script: bool = False) -> str:
    """The name in Unicode's form C, with single spaces.

    Raises ValidationError if not all of it can be seen, if nothing of it can be called out, if marks are heaped on a
    letter, or, where it has to be of ``one_script``, if a word has letters of scripts that no language mixes.
    """
    name = _composed(text)
    check_seen(name)
    if name.strip() and not any(map(_is_said, name)):
        raise ValidationError(_("A name has at least one letter, digit or picture."), code="unsaid")
    if _heaped(name):
        raise ValidationError(_("A letter must not carry more than four marks."), code="heaped")
    if one_script and _mixes_scripts(name):
        raise ValidationError(_("A word must not mix letters of different scripts."), code="mixed")
    return " ".join(name.split())


def check_seen(text: str) -> None:
    """Of any text of one line that others read. Raises ValidationError if not all of it can be seen."""
    if _hidden(text):
        raise ValidationError(_("Invisible and control characters are not allowed."), code="invisible")


def visible(text: str) -> str:
    """The name without what cannot be seen: for names that people have not typed, such as those of files."""
    name = _composed(text)
    hidden = _hidden(name)
    seen = "".join(character for character in name if character not in hidden)
    heaped = _heaped(seen)
    return " ".join("".join(character for place, character in enumerate(seen) if place not in heaped).split())


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
    return {sign for place, sign in enumerate(shown) if _is_hidden_at(shown, place)}


def _is_hidden_at(name: str, place: int) -> bool:
    if name[place] in STACKERS:
        return not _stacks_letters(name, place)
    return _is_hidden(name[place]) and not _joins_letters(name, place)


def _joins_letters(name: str, place: int) -> bool:
    """Whether a joiner changes how the letters beside it are drawn (RFC 5892, appendix A.1 and A.2)."""
    try:
        return name[place] in JOINERS and idna.core.valid_contextj(name, place)
    except ValueError:  # letters of which it is not known
        return False


def _stacks_letters(name: str, place: int) -> bool:
    """Whether a stacker stands between letters of its script; elsewhere it is not seen."""
    around = (name[place - 1 : place], name[place + 1 : place + 2])
    return all(letter and letter not in STACKERS and alias(letter) == alias(name[place]) for letter in around)


def _is_hidden(character: str) -> bool:
    if NEWER_PICTURE.match(character):
        return False
    return unicodedata.category(character) in INVISIBLE or BLANK.match(character) is not None


def _is_said(character: str) -> bool:
    is_letter_or_digit = unicodedata.category(character)[0] in "LN"
    return is_letter_or_digit or unicodedata.category(character) in SIGNS or NEWER_PICTURE.match(character) is not None


def _heaped(name: str) -> set[int]:
    """The places of marks that stand on a letter beyond the fourth."""
    found, height = set(), 0
    for place, character in enumerate(name):
        if character in JOINERS:
            continue
        height = height + 1 if unicodedata.category(character) in STACKED else 0
        if height > MAX_STACKED:
            found.add(place)
    return found


def _mixes_scripts(name: str) -> bool:
    words = (set(map(alias, word)) - EVERYWHERE for is_word, word in groupby(name, _is_of_a_word) if is_word)
    return any(len(scripts) > 1 and not any(scripts <= mixture for mixture in MIXTURES) for scripts in words)


def _is_of_a_word(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character)[0] in "LMN"


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
